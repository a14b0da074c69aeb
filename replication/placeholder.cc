namespace replication {}
