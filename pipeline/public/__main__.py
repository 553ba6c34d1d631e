"""The command line as `python -m genprior`."""

from genprior.pipeline.cli import main

if __name__ == "__main__":
    main(prog_name="genprior")
