"""The command `ordertrack`, also as `python -m ordertrack`."""

from importlib.util import find_spec

from ordertrack.cli.extras import missing_extra


def main() -> None:
    if find_spec("rich_click") is None:
        raise SystemExit(f"Error: {missing_extra('The command `ordertrack`', 'cli')}")
    from ordertrack.cli.main import main as command

    command()


if __name__ == "__main__":
    main()
