"""GitHub as a forge, against the practice GitHub."""

from dataclasses import replace

import pytest

from revieee.clients.github import GitHub
from revieee.forges.github import GitHubForge
from revieee.model.facts import RepositoryFacts
from revieee.ports import Fault, Refused, RetryLater, Severity
from revieee.testing.github import FaultKind, NewRepository, Opening, PracticeGitHub, PullRequest
from revieee.testing.github.state import Role
from support.practice import BOT, AppMode, Clock, Connect, collected, repository_facts


async def many_pull_requests(practice: PracticeGitHub, count: int) -> None:
    for number in range(count):
        await practice.commit("acme/shop", f"branch-{number}", {"a": str(number)})
        await practice.open_pull_request("acme/shop", f"branch-{number}")


class TestPullRequests:
    async def test_lists_the_open_ones_with_their_facts(
        self, practice: PracticeGitHub, pull: PullRequest, client: GitHub
    ) -> None:
        await practice.label(pull, "review")
        await practice.commit("acme/shop", "other", {"a": "b"})
        closed = await practice.open_pull_request("acme/shop", "other")
        await practice.close(closed)
        (facts,) = await collected(GitHubForge(client).open_pull_requests(repository_facts(practice)))
        assert facts.number == pull.number
        assert facts.open
        assert not facts.fork
        assert facts.head_commit == pull.head_sha
        assert facts.head_ref == "feature"
        assert facts.base_ref == "main"
        assert facts.labels == ("review",)
        assert facts.author == "acme"
        assert facts.updated_at == pull.updated_at
        assert facts.repository.private
        assert facts.repository.default_branch == "main"

    async def test_follows_pages(self, practice: PracticeGitHub, client: GitHub) -> None:
        await practice.commit("acme/shop", "feature", {"a": "b"})
        repository = practice.repository("acme/shop")
        first = await practice.open_pull_request("acme/shop", "feature")
        for number in range(2, 206):  # written down, since git would take its time for each
            repository.pulls[number] = replace(first, number=number, id=100_000 + number)
        facts = await collected(GitHubForge(client).open_pull_requests(repository_facts(practice)))
        assert [one.number for one in facts] == list(range(1, 206))
        assert practice.faults.count("GET */pulls") == 3

    async def test_a_second_listing_costs_none_of_the_limit(
        self, practice: PracticeGitHub, pull: PullRequest, client: GitHub
    ) -> None:
        forge = GitHubForge(client)
        first = await collected(forge.open_pull_requests(repository_facts(practice)))
        again = await collected(forge.open_pull_requests(repository_facts(practice)))
        assert first == again
        assert practice.faults.requests[-1].status == 304
        await practice.push(pull, {"index.html": "newer\n"})
        (newer,) = await collected(forge.open_pull_requests(repository_facts(practice)))
        assert newer.head_commit == pull.head_sha != first[0].head_commit

    async def test_a_renamed_repository_is_found_under_its_former_name(
        self, practice: PracticeGitHub, pull: PullRequest, client: GitHub
    ) -> None:
        facts = repository_facts(practice)
        practice.rename_repository("acme/shop", "store")
        (found,) = await collected(GitHubForge(client).open_pull_requests(facts))
        assert found.repository.name == "acme/store"
        one = await GitHubForge(client).pull_request(facts, pull.number)
        assert one is not None
        assert one.repository.id == facts.id

    async def test_one_that_is_gone_is_none(self, practice: PracticeGitHub, client: GitHub) -> None:
        assert await GitHubForge(client).pull_request(repository_facts(practice), 999) is None

    async def test_a_deleted_repository_is_refused(self, practice: PracticeGitHub, client: GitHub) -> None:
        facts = repository_facts(practice)
        practice.delete_repository("acme/shop")
        with pytest.raises(Refused, match="acme/shop is gone"):
            await collected(GitHubForge(client).open_pull_requests(facts))
        assert await GitHubForge(client).pull_request(facts, 1) is None

    async def test_a_fork_that_was_deleted_is_still_a_fork(self, practice: PracticeGitHub, client: GitHub) -> None:
        await practice.fork("acme/shop", "stranger")
        await practice.commit("stranger/shop", "theirs", {"a": "b"})
        pull = await practice.open_pull_request("acme/shop", "theirs", "Hi", Opening(fork="stranger/shop"))
        one = await GitHubForge(client).pull_request(repository_facts(practice), pull.number)
        assert one is not None
        assert one.fork
        practice.delete_repository("stranger/shop")
        after = await GitHubForge(client).pull_request(repository_facts(practice), pull.number)
        assert after is not None
        assert after.fork


class TestPermission:
    @pytest.mark.parametrize(
        ("role", "may"),
        [("admin", True), ("maintain", True), ("write", True), ("triage", False), ("read", False), ("none", False)],
    )
    async def test_write_is_what_counts(self, practice: PracticeGitHub, client: GitHub, role: Role, may: bool) -> None:  # noqa: FBT001 - a parameter of the table
        practice.set_permission("acme/shop", "someone", role)
        assert await GitHubForge(client).may_write(repository_facts(practice), "someone") is may

    @pytest.mark.parametrize("login", ["", "..", "../../user", "a/b", "nobody-of-that-name", "x" * 300, "{login}"])
    async def test_a_name_that_is_nobody_may_not(self, practice: PracticeGitHub, client: GitHub, login: str) -> None:
        assert not await GitHubForge(client).may_write(repository_facts(practice), login)


class TestAppMode:
    async def test_speaks_as_the_installation_and_keeps_its_token(
        self, practice: PracticeGitHub, pull: PullRequest, app_mode: AppMode
    ) -> None:
        forge = GitHubForge(app_mode.client)
        for _ in range(3):
            facts = await forge.pull_request(repository_facts(practice), pull.number)
            assert facts is not None
        assert practice.faults.count("GET */installation") == 1
        assert practice.faults.count("POST */access_tokens") == 1

    async def test_asks_for_the_permissions_it_needs_and_no_more(
        self, practice: PracticeGitHub, pull: PullRequest, app_mode: AppMode
    ) -> None:
        forge = GitHubForge(app_mode.client)
        await forge.pull_request(repository_facts(practice), pull.number)
        (general,) = [token for token in practice.state.tokens.values() if token.installation]
        assert general.permissions == {
            "metadata": "read", "pull_requests": "write", "deployments": "write", "statuses": "write",
        }  # fmt: skip
        user, password = await forge.clone_credentials(repository_facts(practice)) or ("", "")
        assert user == "x-access-token"
        token = practice.state.tokens[password]
        assert token.permissions == {"metadata": "read", "contents": "read"}
        assert token.repository_ids == frozenset({repository_facts(practice).id})

    async def test_a_submodule_known_by_name_alone_gets_a_token_for_itself_from_its_own_installation(
        self, practice: PracticeGitHub, app_mode: AppMode
    ) -> None:
        await practice.create_repository(NewRepository("others/lib", {"code": "x"}, private=True))
        practice.install(app_mode.app, "others")
        shop = repository_facts(practice, installation=app_mode.installation.id)
        forge = GitHubForge(app_mode.client)
        for name in ("others/lib", "acme/shop"):  # whatever the first answer was, the second is another one
            _, password = await forge.clone_credentials(replace(shop, id=0, name=name)) or ("", "")
            token = practice.state.tokens[password]
            assert token.permissions == {"metadata": "read", "contents": "read"}
            assert token.repository_ids == frozenset({practice.repository(name).id})

    async def test_makes_do_with_what_the_owner_granted(
        self, practice: PracticeGitHub, pull: PullRequest, app_mode: AppMode
    ) -> None:
        del app_mode.installation.permissions["deployments"]
        facts = await GitHubForge(app_mode.client).pull_request(repository_facts(practice), pull.number)
        assert facts is not None
        findings = await GitHubForge(app_mode.client).check()
        assert any("has not accepted deployments: write" in one.words for one in findings)

    async def test_renews_a_token_five_minutes_before_its_end(
        self, practice: PracticeGitHub, pull: PullRequest, app_mode: AppMode, clock: Clock
    ) -> None:
        forge = GitHubForge(app_mode.client)
        await forge.pull_request(repository_facts(practice), pull.number)
        clock.forward(minutes=54)
        await forge.pull_request(repository_facts(practice), pull.number)
        assert practice.faults.count("POST */access_tokens") == 1
        clock.forward(minutes=2)
        await forge.pull_request(repository_facts(practice), pull.number)
        assert practice.faults.count("POST */access_tokens") == 2

    async def test_renews_a_token_that_github_refuses(
        self, practice: PracticeGitHub, pull: PullRequest, app_mode: AppMode
    ) -> None:
        forge = GitHubForge(app_mode.client)
        await forge.pull_request(repository_facts(practice), pull.number)
        practice.faults.next("unauthorized", "GET */pulls/{*}")
        assert await forge.pull_request(repository_facts(practice), pull.number) is not None
        assert practice.faults.count("POST */access_tokens") == 2

    async def test_finds_a_new_installation(
        self, practice: PracticeGitHub, pull: PullRequest, app_mode: AppMode
    ) -> None:
        forge, old = GitHubForge(app_mode.client), app_mode.installation
        facts = repository_facts(practice, installation=old.id)
        assert await forge.pull_request(facts, pull.number) is not None
        practice.uninstall(old)
        practice.install(app_mode.app, "acme")
        await forge.pull_request(facts, pull.number)  # finds out that the old one is gone
        assert await forge.pull_request(facts, pull.number) is not None

    async def test_lists_what_its_installations_may_see(self, practice: PracticeGitHub, app_mode: AppMode) -> None:
        facts = [one async for one in GitHubForge(app_mode.client).repositories()]
        assert [(one.name, one.installation) for one in facts] == [("acme/shop", app_mode.installation.id)]
        practice.suspend(app_mode.installation)
        assert [one async for one in GitHubForge(app_mode.client).repositories()] == []

    async def test_an_app_that_is_not_installed_there_is_refused(
        self, practice: PracticeGitHub, app_mode: AppMode
    ) -> None:
        practice.uninstall(app_mode.installation)
        with pytest.raises(Refused):
            await GitHubForge(app_mode.client).clone_credentials(repository_facts(practice))

    async def test_a_repository_taken_out_of_the_installation_is_refused(
        self, practice: PracticeGitHub, app_mode: AppMode
    ) -> None:
        facts = repository_facts(practice, installation=app_mode.installation.id)
        practice.choose_repositories(app_mode.installation, removed=["acme/shop"])
        with pytest.raises(Refused):
            await GitHubForge(app_mode.client).clone_credentials(facts)
        assert await GitHubForge(app_mode.client).pull_request(facts, 1) is None


class TestTokenMode:
    async def test_the_token_is_what_git_uses(self, practice: PracticeGitHub, client: GitHub) -> None:
        credentials = await GitHubForge(client).clone_credentials(repository_facts(practice))
        assert credentials is not None
        assert credentials[0] == "x-access-token"
        assert practice.state.tokens[credentials[1]].user.login == BOT

    async def test_there_are_no_installations(self, client: GitHub) -> None:
        assert [one async for one in GitHubForge(client).repositories()] == []

    async def test_tells_which_of_those_known_are_there(self, practice: PracticeGitHub, client: GitHub) -> None:
        shop = repository_facts(practice)
        await practice.create_repository(NewRepository("acme/site", {"code": "x"}))
        site = RepositoryFacts(id=practice.repository("acme/site").id, name="acme/site")
        practice.rename_repository("acme/shop", "store")
        practice.delete_repository("acme/site")
        await practice.create_repository(NewRepository("acme/site", {"code": "made since"}))
        there = [one async for one in GitHubForge(client).repositories([shop, site])]
        assert [(one.id, one.name) for one in there] == [(shop.id, "acme/store")]

    async def test_does_not_say_that_one_is_gone_while_it_may_not_know(
        self, practice: PracticeGitHub, client: GitHub
    ) -> None:
        shop = repository_facts(practice)
        practice.faults.next("forbidden")
        assert [one async for one in GitHubForge(client).repositories([shop])] == [shop]

    async def test_nobody_has_no_credentials(self, practice: PracticeGitHub, connected: Connect) -> None:
        assert await GitHubForge(connected()).clone_credentials(repository_facts(practice)) is None


class TestFaults:
    @pytest.mark.parametrize("kind", ["error", "bad gateway", "unavailable", "cut", "secondary limit", "rate limit"])
    async def test_what_passes_is_tried_later(self, practice: PracticeGitHub, client: GitHub, kind: FaultKind) -> None:
        practice.faults.next(kind)
        with pytest.raises(RetryLater):
            await GitHubForge(client).pull_request(repository_facts(practice), 1)

    @pytest.mark.parametrize("kind", ["unauthorized", "forbidden"])
    async def test_the_rest_is_a_fault(self, practice: PracticeGitHub, client: GitHub, kind: FaultKind) -> None:
        practice.faults.next(kind)
        with pytest.raises(Fault):
            await GitHubForge(client).pull_request(repository_facts(practice), 1)


class TestCheck:
    async def test_a_good_token(self, client: GitHub) -> None:
        findings = await GitHubForge(client).check()
        assert findings[0].severity is Severity.GOOD
        assert BOT in findings[0].words

    async def test_a_wrong_token(self, connected: Connect) -> None:
        (finding,) = await GitHubForge(connected(token="ghp_wrong")).check()
        assert finding.severity is Severity.BAD
        assert "401" in finding.words
        assert "ghp_wrong" not in finding.words
        assert finding.mend

    async def test_no_credentials(self, connected: Connect) -> None:
        (finding,) = await GitHubForge(connected()).check()
        assert finding.severity is Severity.BAD

    async def test_an_app_and_what_it_lacks(self, practice: PracticeGitHub, app_mode: AppMode) -> None:
        del app_mode.app.permissions["statuses"]
        practice.uninstall(app_mode.installation)
        findings = await GitHubForge(app_mode.client).check()
        words = "\n".join(one.words for one in findings)
        assert "the App is revieee" in words
        assert "lacks the permission statuses: write" in words
        assert "no webhook address" in words
        assert "installed nowhere" in words

    async def test_a_github_that_does_not_answer(self, practice: PracticeGitHub, client: GitHub) -> None:
        practice.faults.next("cut")
        (finding,) = await GitHubForge(client).check()
        assert finding.severity is Severity.BAD
        assert "REVIEEE_GITHUB_API_URL" in finding.mend
