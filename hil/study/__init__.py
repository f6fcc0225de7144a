"""Studies: many small experiments over chips, kept in a folder, resumable, in parallel.

::

    config        what a study asks: an experiment, imperfections, levels, chips
    imperfections the four built-in imperfections and their default levels
    tasks         a study as a list of tasks, and each task as a job for a worker
    work          one job done, a pure function
    crew          what gives jobs to workers; local_crew: processes; dask_crew: a cluster
    folder        study.toml, results.jsonl, the ideally trained conductances
    running       the loop: what is left, given out, written down
    summary       means and intervals over chips; table and figure show them

Nothing is imported here, so that a worker process can set its threads before numpy is loaded.
"""
