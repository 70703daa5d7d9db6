"""How values stand in rows: as JSON."""

from pydantic import TypeAdapter

from revieee.model.facts import RepositoryFacts
from revieee.model.manifest import Manifest
from revieee.model.route import Endpoint
from revieee.ports import Posted

REPOSITORY: TypeAdapter[RepositoryFacts] = TypeAdapter(RepositoryFacts)
MANIFEST: TypeAdapter[Manifest] = TypeAdapter(Manifest)
POSTED: TypeAdapter[Posted] = TypeAdapter(Posted)
ENDPOINTS: TypeAdapter[tuple[tuple[str, Endpoint], ...]] = TypeAdapter(tuple[tuple[str, Endpoint], ...])
