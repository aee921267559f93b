"""The tooling of migrations: find revisions, run them, and check them. The revisions belong to the features."""
