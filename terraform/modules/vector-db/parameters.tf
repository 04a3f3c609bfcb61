# Sizes are RDS formulas, so that they follow the instance class. DBInstanceClassMemory is in bytes, after what RDS
# keeps for itself. Parameters that are not here keep the RDS default; shared_buffers, for one, is a quarter of the
# memory. autovacuum_work_mem has an RDS default of its own, so the large maintenance_work_mem does not count once for
# each vacuum worker.
#
# apply_method: static parameters only accept pending-reboot. rds.force_ssl equals the default of PostgreSQL 15 and
# newer, and RDS then reports pending-reboot whatever was asked for: any other value would be a change in every plan.
resource "aws_db_parameter_group" "this" {
  name        = "${local.identifier}-postgres${local.engine_major}"
  family      = "postgres${local.engine_major}"
  description = "Forced TLS, and memory and workers for building HNSW indexes."

  parameter {
    name         = "rds.force_ssl"
    value        = "1"
    apply_method = "pending-reboot"
  }

  # Statement statistics: which searches are slow, and how often they run. Static.
  parameter {
    name         = "shared_preload_libraries"
    value        = "pg_stat_statements"
    apply_method = "pending-reboot"
  }

  # In kB. pgvector builds the HNSW graph in memory while it fits into this; beyond it, row by row in the index file.
  # A parallel build shares one such area between all its workers.
  parameter {
    name         = "maintenance_work_mem"
    value        = "{DBInstanceClassMemory*${var.index_build_memory_percent}/102400}"
    apply_method = "immediate"
  }

  # Workers of one index build besides the leader; PostgreSQL's own default of 2 leaves large instances idle. Half of
  # the processors stay free for searches.
  parameter {
    name         = "max_parallel_maintenance_workers"
    value        = "GREATEST({DBInstanceVCPU/2},2)"
    apply_method = "immediate"
  }

  # In units of a sequential page read. The default of 4 is for spinning disks, and makes a sequential scan look
  # cheaper than the vector index.
  parameter {
    name         = "random_page_cost"
    value        = "1.1"
    apply_method = "immediate"
  }

  tags = var.tags

  # Another major version needs another group, and the instance has to leave the old one first.
  lifecycle {
    create_before_destroy = true
  }
}
