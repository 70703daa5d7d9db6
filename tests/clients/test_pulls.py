"""What engines say of an image that they could not pull; wordings of Docker 20.10 to 28."""

import pytest

from revieee.clients.pulls import pointless

DIGEST = f"sha256:{'b' * 64}"
HUB = "https://registry.example/v2"

FINAL = [
    (404, "manifest for acme/shop:9 not found: manifest unknown: manifest unknown"),
    (
        404,
        (
            "pull access denied for acme/shop, repository does not exist or may require 'docker login': denied: "
            "requested access to the resource is denied"
        ),
    ),
    (404, "repository localhost:5000/x not found: name unknown: repository name not known to registry"),
    (404, "no matching manifest for linux/amd64 in the manifest list entries: no match for platform: not found"),
    (400, "invalid reference format: repository name (library/Shop) must be lowercase"),
    (400, f"invalid repository name ({'a' * 64}), cannot specify 64-byte hexadecimal strings"),
    (403, "'scratch' is a reserved name"),
    (500, "manifest unknown"),
    (500, "name unknown"),
    (500, "unauthorized"),
    (500, "denied"),
    (500, f'Head "{HUB}/x/manifests/1": no basic auth credentials'),
    (500, f'Head "{HUB}/x/manifests/1": unauthorized: authentication required'),
    (500, f"Get {HUB}/x/manifests/latest: unauthorized: incorrect username or password"),
    (500, 'error parsing HTTP 404 response body: unexpected end of JSON input: ""'),
    (500, "error parsing HTTP 403 response body: invalid character '<' looking for beginning of value: \"<html>\""),
    (500, "no matching manifest for linux/amd64 in the manifest list entries"),
    (500, 'image operating system "windows" cannot be used on this platform'),
    (500, "error pulling image configuration: download failed after attempts=1: unknown blob"),
    (500, 'Encountered remote "application/vnd.cncf.helm.config.v1+json"(unknown) when fetching'),
    (500, 'failed to resolve reference "registry.example/x:1": registry.example/x:1: not found'),
    (
        500,
        (
            'error from registry: failed to resolve reference "registry.example/x:1": failed to authorize: failed to '
            "fetch oauth token: unexpected status from GET request to https://auth.example/token: 401 Unauthorized"
        ),
    ),
    (500, "registry.example/x:1: not found"),
    (500, "pulling from host registry.example failed with status code [manifests 1]: 403 Forbidden"),
    (500, f"unexpected status from HEAD request to {HUB}/x/manifests/1: 403 Forbidden"),
    (
        500,
        (
            "pull access denied, repository does not exist or may require authorization: server message: "
            "insufficient_scope: authorization failed"
        ),
    ),
    (
        500,
        (
            "failed to authorize: rpc error: code = Unknown desc = failed to fetch anonymous token: unexpected status: "
            "401 Unauthorized"
        ),
    ),
    (500, f"no match for platform in manifest {DIGEST}: not found"),
    (
        500,
        (
            f"failed to copy: httpReadSeeker: failed open: could not fetch content descriptor {DIGEST} "
            "(application/vnd.docker.container.image.v1+json) from remote: not found"
        ),
    ),
]
PASSING = [
    (500, "toomanyrequests: You have reached your unauthenticated pull rate limit. https://registry.example/limit"),
    (429, "toomanyrequests: access denied for now"),
    (500, 'error parsing HTTP 429 response body: invalid character: "denied: \\"x\\""'),
    (500, f'Head "{HUB}/x/manifests/1": received unexpected HTTP status: 503 Service Unavailable'),
    (500, "received unexpected HTTP status: 502 Bad Gateway"),
    (
        500,
        (
            f'Get "{HUB}/": net/http: request canceled while waiting for connection (Client.Timeout exceeded while '
            "awaiting headers)"
        ),
    ),
    (500, f'Get "{HUB}/": net/http: TLS handshake timeout'),
    (500, f'Get "{HUB}/": dial tcp 127.0.0.1:1: connect: connection refused'),
    (500, f'Get "{HUB}/": dial tcp: lookup registry.example on 127.0.0.53:53: no such host'),
    (500, f'Get "{HUB}/": dial tcp: lookup registry.example: Temporary failure in name resolution'),
    (500, f'Head "{HUB}/denied/manifests/unauthorized": EOF'),
    (500, f'Head "{HUB}/x/manifests/404": context deadline exceeded'),
    (500, "error pulling image configuration: download failed after attempts=6: EOF"),
    (500, "unexpected EOF"),
    (500, "read tcp 192.0.2.1:44148->192.0.2.2:443: read: connection reset by peer"),
    (500, "mkdir /var/lib/docker/tmp: permission denied"),
    (500, 'error getting credentials - err: exec: "docker-credential-x": executable file not found in $PATH'),
    (500, "pulling from host localhost:404 failed with status code [manifests 403]: 429 Too Many Requests"),
    (
        500,
        (
            f"unexpected status from HEAD request to {HUB}/x/manifests/404: 503 Service Unavailable\n"
            "toomanyrequests: denied"
        ),
    ),
    (
        500,
        (
            "failed to authorize: failed to fetch oauth token: unexpected status from POST request to "
            "https://auth.example/token: 429 Too Many Requests"
        ),
    ),
    (500, 'failed to authorize: failed to fetch anonymous token: Get "https://auth.example/token?scope=denied": EOF'),
    (
        500,
        (
            f"failed to copy: httpReadSeeker: failed open: unexpected status code {HUB}/x/blobs/{DIGEST}: 500 Internal "
            "Server Error"
        ),
    ),
    (500, f'failed to copy: httpReadSeeker: failed open: failed to do request: Get "{HUB}/x/blobs/{DIGEST}": EOF'),
    (504, "context deadline exceeded"),
]


@pytest.mark.parametrize(("status", "words"), FINAL, ids=lambda one: str(one)[:60])
def test_what_a_registry_says_for_good(status: int, words: str) -> None:
    assert pointless(words, status)


@pytest.mark.parametrize(("status", "words"), PASSING, ids=lambda one: str(one)[:60])
def test_what_passes(status: int, words: str) -> None:
    assert not pointless(words, status)
