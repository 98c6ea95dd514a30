"""Run the command `ordertrack` by `python -m ordertrack`."""

from ordertrack.cli.main import main

if __name__ == "__main__":
    main()
