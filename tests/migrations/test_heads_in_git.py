"""Two branches that both add a revision after the same one: git itself says so when they meet (a real repository)."""

import shutil
import subprocess

import pytest

from migrations.errors import BadTreeError
from migrations.tree import read_tree
from rehearsal.trees import lay

pytestmark = pytest.mark.slow
REVISION = 'revision = "{name}"\ndown_revision = "{down}"\nbranch_labels = None\ndepends_on = None\n'


class Repository:
    """A clone with one checkout, as a developer has it."""

    def __init__(self, folder):
        self.folder = folder
        shutil.copytree(lay("v1", folder.parent) / "migrations/expand", folder / "expand")
        (folder / "contract").mkdir()
        (folder / "contract/.gitkeep").touch()
        self.git("init", "-q", "-b", "main")
        self.commit("first")

    def git(self, *arguments, check=True):
        identity = ("-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false")
        return subprocess.run(
            ["git", *identity, *arguments], cwd=self.folder, capture_output=True, text=True, check=check,
            env={"PATH": "/usr/bin:/bin:/usr/local/bin", "HOME": str(self.folder), "GIT_CONFIG_NOSYSTEM": "1"},
        )  # fmt: skip

    def commit(self, message):
        self.git("add", ".")
        self.git("commit", "-q", "-m", message)

    def add(self, name, down, head=True, of="change"):
        path = self.folder / f"expand/{name}_{of}.py"
        path.write_text(REVISION.format(name=name, down=down))
        if head:
            (self.folder / "expand/HEAD").write_text(f"{path.stem}\n")

    def branch(self, branch, name, head=True):
        """A branch from main that adds a revision after the first one."""
        self.git("checkout", "-q", "-b", branch, "main")
        self.add(name, "e0001", head, of=branch)
        self.commit(f"{name} after e0001")
        self.git("checkout", "-q", "main")


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path / "repository")


def test_the_second_merge_conflicts_in_the_file_of_the_head(repository):
    repository.branch("alice", "e0002a")
    repository.branch("bob", "e0002b")
    repository.git("merge", "-q", "--no-ff", "-m", "alice", "alice")
    assert read_tree(repository.folder).expand[-1].revision == "e0002a"
    second = repository.git("merge", "-m", "bob", "bob", check=False)
    assert second.returncode == 1
    assert "CONFLICT (content): Merge conflict in expand/HEAD" in second.stdout
    with pytest.raises(BadTreeError, match="two heads, e0002a and e0002b both follow e0001"):
        read_tree(repository.folder)
    # As the message says: let the later one follow the other.
    repository.add("e0002b", "e0002a", of="bob")
    repository.commit("bob after alice")
    assert [each.revision for each in read_tree(repository.folder).expand] == ["e0001", "e0002a", "e0002b"]


def test_two_revisions_that_were_numbered_alike_conflict_too(repository):
    repository.branch("alice", "e0002")
    repository.branch("bob", "e0002")
    repository.git("merge", "-q", "--no-ff", "-m", "alice", "alice")
    second = repository.git("merge", "-m", "bob", "bob", check=False)
    assert second.returncode == 1
    assert "CONFLICT (content): Merge conflict in expand/HEAD" in second.stdout
    with pytest.raises(BadTreeError, match="revision e0002 is in two files"):
        read_tree(repository.folder)


def test_with_the_revisions_name_alone_git_would_merge_those(repository):
    for branch in ("alice", "bob"):
        repository.git("checkout", "-q", "-b", branch, "main")
        repository.add("e0002", "e0001", of=branch)
        (repository.folder / "expand/HEAD").write_text("e0002\n")
        repository.commit(branch)
        repository.git("checkout", "-q", "main")
    for branch in ("alice", "bob"):
        assert repository.git("merge", "-q", "--no-ff", "-m", branch, branch).returncode == 0


def test_without_the_file_git_merges_both_and_nobody_is_told(repository):
    """What the file is for: Alembic's files alone never conflict."""
    repository.branch("alice", "e0002a", head=False)
    repository.branch("bob", "e0002b", head=False)
    for name in ("alice", "bob"):
        assert repository.git("merge", "-q", "--no-ff", "-m", name, name).returncode == 0
    with pytest.raises(BadTreeError, match="two heads"):
        read_tree(repository.folder)


def test_a_revision_without_its_head_is_refused(repository):
    repository.add("e0002", "e0001", head=False)
    with pytest.raises(BadTreeError, match="expand/HEAD says e0001_orders, expected e0002_change"):
        read_tree(repository.folder)


def test_a_conflict_that_was_committed_as_it_is_is_refused(repository):
    repository.branch("alice", "e0002")
    repository.git("merge", "-q", "--no-ff", "-m", "alice", "alice")
    (repository.folder / "expand/HEAD").write_text("<<<<<<< HEAD\ne0002\n=======\ne0003\n>>>>>>> bob\n")
    with pytest.raises(BadTreeError, match="expected e0002"):
        read_tree(repository.folder)
