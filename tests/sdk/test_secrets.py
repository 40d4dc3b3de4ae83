"""No secret that has a telling form or a telling name becomes part of an event."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlog import Task
from eventlog.sdk.secrets import MASK, mask_arguments, mask_text, mask_url, secret_values
from eventlog.sdk.stores import current_views


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("https://bob:hunter2@github.com/a/b.git", f"https://{MASK}@github.com/a/b.git"),
        ("https://abcdefghijkl@github.com/a/b.git", f"https://{MASK}@github.com/a/b.git"),
        ("ssh://bob:hunter2@host/x", f"ssh://{MASK}@host/x"),
        ("postgres://bob:hunter2@db/x", f"postgres://{MASK}@db/x"),
        ("https://host/x?access_token=abc&b=1", f"https://host/x?access_token={MASK}&b=1"),
        ("https://host/x?b=1&X-Amz-Signature=12ab", f"https://host/x?b=1&X-Amz-Signature={MASK}"),
    ],
)
def test_the_secret_of_a_url_is_masked_and_nothing_else(url: str, masked: str) -> None:
    assert mask_url(url) == masked


@pytest.mark.parametrize(
    "url",
    [
        "git@github.com:a/b.git",
        "ssh://git@host/x",
        "sftp://bob@host/x",
        "https://github.com/a/b.git",
        "https://host/a@b",
        "s3://bucket/key",
        "/srv/git/a.git",
    ],
)
def test_a_url_without_a_secret_stays_as_it_is(url: str) -> None:
    assert mask_url(url) == url


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ('+password = "hunter2x"', "hunter2x"),
        ('+    api_key: str = "abcdefg"', "abcdefg"),
        ('-  "client_secret": "zzzzzz",', "zzzzzz"),
        ("os.environ['AWS_SECRET_ACCESS_KEY'] = 'wJalrXUtnFEMI/K7MDENG'", "wJalrXUtnFEMI"),
        ("+DB_PASSWORD=hunter2", "hunter2"),
        ("+export HF_TOKEN=abcd1234", "abcd1234"),
        ("+  password: hunter2x", "hunter2x"),
        ('x = connect(password="topsecret", user="me")', "topsecret"),
        ('setenv("API_KEY", "abcd1234")', "abcd1234"),
        ('hub_token="abcdefgh12"', "abcdefgh12"),
        ('headers = {"Authorization": "Bearer abc.def"}', "abc.def"),
        ("curl -H 'authorization: token abcdef123'", "abcdef123"),
        ("url = https://bob:hunter2@host/x", "hunter2"),
        ("key AKIAIOSFODNN7EXAMPLE here", "AKIAIOSFODNN7EXAMPLE"),
        ("t = 'ghp_" + "a1" * 18 + "'", "ghp_a1"),
        ("glpat-" + "x" * 20, "xxxx"),
        ("xoxb-123456789012-abcdef", "123456789012"),
        ("sk-ant-" + "b" * 40, "bbbb"),
        ("hf_" + "c" * 34, "cccc"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P", "eyJzdWI"),
    ],
)
def test_text_that_looks_like_a_secret_is_masked(text: str, secret: str) -> None:
    assert secret in text
    masked = mask_text(f"before\n{text}\nafter")
    assert secret not in masked
    assert MASK in masked
    assert masked.startswith("before\n")
    assert masked.endswith("\nafter")


@pytest.mark.parametrize("sign", ["", "+", "-", " "])
def test_a_private_key_in_a_diff_is_masked_even_where_its_end_is_not_shown(sign: str) -> None:
    begin, end = "-----BEGIN RSA PRIVATE KEY-----", "-----END RSA PRIVATE KEY-----"
    lines = ["MIIEpAIBAAKCAQEA0Z3VS5JJcds3xfn"] * 3
    whole = "\n".join(f"{sign}{line}" for line in (begin, *lines, end, "import os"))
    cut = "\n".join(f"{sign}{line}" for line in (begin, *lines)) + "\n@@ -1,2 +1,2 @@\n import os"
    for text in (whole, cut):
        assert "MIIEpAIB" not in mask_text(text)
        assert "import os" in mask_text(text)


def test_a_private_key_in_json_is_masked() -> None:
    text = '{"private_key": "-----BEGIN PRIVATE KEY-----\\nMIIEvQ\\n-----END PRIVATE KEY-----\\n", "a": 1}'
    assert "MIIEvQ" not in mask_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "token = tokenizer.next()",
        "def f(password: str, token: int = 3):",
        'pad_token = "<pad>"',
        'tokens = ["a", "b"]',
        "max_tokens = 512",
        'monkey = "banana"',
        "secret = None",
        "PASSWORD_LENGTH = 12",
        "password = getpass.getpass()",
        "  password: string",
        "sk-learn and hf_hub",
    ],
)
def test_code_that_only_speaks_of_secrets_stays_as_it_is(text: str) -> None:
    assert mask_text(text) == text


@given(st.text(alphabet="abc xyz()[]{}.,;+-*/%#!\n\tÄ漢", max_size=500), st.integers(1, 60))
def test_text_in_which_nothing_is_given_stays_as_it_is_whatever_its_length(text: str, times: int) -> None:
    assert mask_text(text * times) == text * times


@given(st.lists(st.text(max_size=60)))
def test_masking_twice_is_masking_once(lines: list[str]) -> None:
    once = mask_text("\n".join(lines))
    assert mask_text(once) == once


def test_a_command_line_keeps_its_arguments_and_loses_their_secrets() -> None:
    for given_, kept in [
        (["--lr", "0.1", "--password", "x", "y"], ["--lr", "0.1", "--password", MASK, "y"]),
        (["--auth-token=abc", "API_KEY=z"], [f"--auth-token={MASK}", f"API_KEY={MASK}"]),
        (["--token", "--max-tokens", "5"], ["--token", "--max-tokens", "5"]),
        (["https://bob:hunter2@host/x"], [f"https://{MASK}@host/x"]),
    ]:
        assert mask_arguments(given_) == kept
    assert mask_arguments(["--tokenizer", "gpt", "data/secret/train.py"]) == [
        "--tokenizer",
        "gpt",
        "data/secret/train.py",
    ]


def test_the_values_of_secret_variables_are_masked_wherever_they_stand() -> None:
    environment = {
        "AWS_SECRET_ACCESS_KEY": "plainwords",
        "MY_TOKEN": "short",
        "GOOGLE_APPLICATION_CREDENTIALS": "/home/me/key.json",
        "HOME": "/home/longer",
        "TOKENIZERS_PARALLELISM": "truetruetrue",
    }
    values = secret_values(environment)
    assert values == ["plainwords"]
    assert mask_text("x plainwords y", values) == f"x {MASK} y"
    assert mask_arguments(["plainwords"], values) == [MASK]


def test_no_call_that_describes_a_task_lets_a_secret_into_the_log(task: Task, tmp_path: Path) -> None:
    secret, url = "hunter2secret", "https://user:hunter2secret@example.org/a?token=hunter2secret"
    script = {"container": f"-e AWS_SECRET_ACCESS_KEY={secret}", "setup": f"export PASSWORD={secret}"}
    package = f"git+https://user:{secret}@example.org/package"
    listed = tmp_path / "requirements.txt"
    listed.write_text(package)
    task.set_base_docker(f"image {script['container']}", docker_setup_bash_script=script["setup"])
    task.set_packages([package])
    task.set_packages(str(listed))
    task.set_repo(url)
    made = Task.create(
        project_name="secrets",
        task_name="made",
        repo=url,
        script="train.py",
        packages=package,
        docker="image",
        docker_args=script["container"],
        docker_bash_setup_script=script["setup"],
    )
    imported = Task.import_task(
        {
            "name": "imported",
            "script": {"repository": url, "requirements": {"pip": package}},
            "container": {"arguments": script["container"], "setup_shell_script": script["setup"]},
            "output": {"destination": url},
        }
    )
    assert imported is not None
    for one in (task, made, imported):
        events = [numbered.event for numbered in current_views(one._store).events(one.id)]
        assert secret not in repr(events)
        assert MASK in repr(events)
