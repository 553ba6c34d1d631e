"""Where blocks run: in this process, on local workers, on a Dask scheduler."""
