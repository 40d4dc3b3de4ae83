"""An adapter for each program of the comparison, and the driver that runs it in its own environment.

An adapter is a module of plain functions, which nothing imports but `driver.py`. It says how its program is
asked for what the comparison measures:

* ``NAME``, ``REQUIREMENTS`` (what pip installs; none for what needs no environment of its own),
  ``DISTRIBUTION`` (whose version is shown), ``IMPORT`` (the statement whose time is the import's).
* ``LIMIT``, where it is no peer but what the machine can do at best.
* ``SETTLED_BY_IMPORT``, where what `settle` says is read by the import, and never again.
* ``CANNOT``: what the program has no way to do, and why; what is named there needs no function.
* ``settle(folder)``: before the import, environment variables that keep the program in a folder, and offline.
* ``begin(folder, name)``: start a run; what it returns is handed to the others.
* ``scalar(run)``: a function of a step and a value, which reports one scalar of the series "loss".
  ``metrics(run)``: a function of a step and a dictionary, which reports the values of several series.
* ``finish(run)``: close the run, and have everything it took on disk.
* ``index(folder)``, where something has to be done before anything can be found; it is not counted.
* ``kept(folder, name)``: the steps of the series "loss" that can be found afterwards.
* ``read(folder, name)``: the values of the series "loss", as its reading interface gives them.
* ``fill_tasks(folder, count, more)``: make finished runs, as long as ``more()``; how many there are.
  ``find_tasks(folder)``: those of them with the tag "candidate", by the program's own filter; how many.
* ``put_file(run, path)`` and ``get_file(folder, name, target)``: a file as an artifact; the path of a copy.
* ``sync_files(folder, remote)``: move what the folder holds to another folder.
"""
