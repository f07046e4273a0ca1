from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from b2cctl import workspace

PROJECTS = [f"libs/{name}" for name in ("chassis", "auth", "money")] + [
    f"services/{name}" for name in ("user", "order", "mail")
]
SHIPPED = ["app.py", "src/a.py", "src/tests.py", "src/tests/data.py", "requirements.txt", "Dockerfile", "src/notes.md"]
NOT_SHIPPED = ["tests/test_a.py", "tests/unit/test_b.py", "docs/a.txt", "README.md"]
ELSEWHERE = [
    "README.md",
    "tests/test_a.py",
    "gitops/envs/dev/releases/user.yaml",
    "helm/user/values.yaml",
    "services/notes.txt",
]


@st.composite
def workspaces(draw):
    """Draw dependencies without cycles: a library depends only on earlier ones, a service on any."""
    dependencies = {}
    for place, project in enumerate(PROJECTS):
        candidates = [other for other in PROJECTS[:place] if other.startswith("libs/")]
        dependencies[project] = draw(st.sets(st.sampled_from(candidates))) if candidates else set()
    return dependencies


def tree_of(dependencies):
    """Return the tree of a workspace in which every project has every kind of file."""
    tree = dict.fromkeys(ELSEWHERE, "1")
    for project, uses in dependencies.items():
        tree |= {f"{project}/{name}": "1" for name in SHIPPED + NOT_SHIPPED}
        tree[f"{project}/pyproject.toml"] = "[tool.uv.sources]\n" + "".join(
            f'{other.split("/")[1]} = {{ path = "../../{other}" }}\n' for other in sorted(uses)
        )
    return tree


def digests(tree):
    services = workspace.projects(tree, "services")
    return {
        name: workspace.digest(workspace.shipped(tree, workspace.closure(tree.__getitem__, f"services/{name}")))
        for name in services
    }


def reaches(dependencies, start, goal):
    return start == goal or any(reaches(dependencies, each, goal) for each in dependencies[start])


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    workspaces(),
    st.sampled_from(PROJECTS),
    st.sampled_from(SHIPPED + NOT_SHIPPED),
    st.sampled_from(["edit", "delete", "rename", "add"]),
)
def test_random_edit_rebuilds_exactly_the_services_that_depend_on_it(dependencies, project, name, deed):
    # given
    before = tree_of(dependencies)
    after = dict(before)

    # when a file of a project is edited, deleted, renamed or copied
    path = f"{project}/{name}"
    neighbour = path.replace(".", "2.", 1) if "." in name else path + "2"
    if deed in ("delete", "rename"):
        del after[path]
    if deed in ("rename", "add"):
        after[neighbour] = "1"  # the same content under another name
    if deed == "edit":
        after[path] = "2"

    # then
    users = {
        each.split("/")[1] for each in PROJECTS if each.startswith("services/") and reaches(dependencies, each, project)
    }
    expected = users if name in SHIPPED else set()
    old, new = digests(before), digests(after)
    assert {service for service in old if old[service] != new[service]} == expected


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(workspaces(), st.sampled_from(ELSEWHERE))
def test_an_edit_outside_every_project_rebuilds_nothing(dependencies, path):
    before = tree_of(dependencies)

    assert digests(before | {path: "2"}) == digests(before)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(workspaces(), st.data())
def test_a_new_dependency_rebuilds_exactly_its_users(dependencies, data):
    # given a project that does not use a library
    project = data.draw(st.sampled_from(PROJECTS[1:]))
    missing = [
        each
        for each in PROJECTS[: PROJECTS.index(project)]
        if each.startswith("libs/") and each not in dependencies[project]
    ]
    if not missing:
        return
    before = digests(tree_of(dependencies))

    # when it adds that dependency
    now = dependencies | {project: dependencies[project] | {data.draw(st.sampled_from(missing))}}
    after = digests(tree_of(now))

    # then
    users = {each.split("/")[1] for each in PROJECTS if each.startswith("services/") and reaches(now, each, project)}
    assert {service for service in before if before[service] != after[service]} == users


def test_libraries_that_use_each_other_are_followed_once():
    texts = {
        "services/a/pyproject.toml": '[tool.uv.sources]\nx = { path = "../../libs/x" }',
        "libs/x/pyproject.toml": '[tool.uv.sources]\ny = { path = "../y" }',
        "libs/y/pyproject.toml": '[tool.uv.sources]\nx = { path = "../x" }',
    }

    assert workspace.closure(texts.__getitem__, "services/a") == ["libs/x", "libs/y", "services/a"]
