"""The command `ordertrack`, also as `python -m ordertrack`."""

from importlib.util import find_spec


def main() -> None:
    if find_spec("rich_click") is None:
        raise SystemExit("Error: The commands are not installed: pip install 'ordertrack[cli]'")
    from ordertrack.cli.main import main as command

    command()


if __name__ == "__main__":
    main()
