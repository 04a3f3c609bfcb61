locals {
  name_prefix = "${var.project}-${var.environment}"
}

module "network" {
  source = "./modules/network"

  name_prefix             = local.name_prefix
  cidr_block              = var.network.cidr_block
  availability_zone_count = var.network.availability_zone_count
  interface_endpoints     = var.network.interface_endpoints
}

module "storage" {
  source = "./modules/storage"

  name_prefix                    = local.name_prefix
  force_destroy                  = var.storage.force_destroy
  noncurrent_version_days        = var.storage.noncurrent_version_days
  log_retention_days             = var.storage.log_retention_days
  recommendations_retention_days = var.storage.recommendations_retention_days
}

module "vector_db" {
  source = "./modules/vector-db"

  name_prefix       = local.name_prefix
  vpc_id            = module.network.vpc_id
  subnet_ids        = module.network.private_subnet_ids
  s3_prefix_list_id = module.network.s3_prefix_list_id
  import_bucket_arn = module.storage.bucket_arns["ml_artifacts"]

  allowed_security_groups = var.database.allowed_security_groups
  allowed_cidr_blocks     = var.database.allowed_cidr_blocks

  engine_version              = var.database.engine_version
  allow_major_version_upgrade = var.database.allow_major_version_upgrade
  instance_class              = var.database.instance_class
  allocated_storage_gib       = var.database.allocated_storage_gib
  max_allocated_storage_gib   = var.database.max_allocated_storage_gib
  port                        = var.database.port
  multi_az                    = var.database.multi_az
  index_build_memory_percent  = var.database.index_build_memory_percent
  kms_key_arn                 = var.database.kms_key_arn

  backup_retention_days               = var.database.backup_retention_days
  backup_window                       = var.database.backup_window
  maintenance_window                  = var.database.maintenance_window
  apply_immediately                   = var.database.apply_immediately
  deletion_protection                 = var.database.deletion_protection
  skip_final_snapshot                 = var.database.skip_final_snapshot
  performance_insights_retention_days = var.database.performance_insights_retention_days
}

module "etl" {
  source = "./modules/etl"

  name_prefix                 = local.name_prefix
  vpc_id                      = module.network.vpc_id
  subnets                     = module.network.private_subnets
  s3_prefix_list_id           = module.network.s3_prefix_list_id
  endpoints_security_group_id = module.network.endpoints_security_group_id
  script_path                 = "${var.build_dir}/glue/ratings_etl.py"

  data_lake_bucket = {
    name = module.storage.bucket_names["data_lake"]
    arn  = module.storage.bucket_arns["data_lake"]
  }
  scripts_bucket = {
    name = module.storage.bucket_names["scripts"]
    arn  = module.storage.bucket_arns["scripts"]
  }

  source_database        = var.source_database
  create_source_database = var.create_source_database
  enforce_source_tls     = var.etl.enforce_source_tls
  created_source = {
    instance_class          = var.etl.created_source_instance_class
    allowed_security_groups = var.database.allowed_security_groups
    allowed_cidr_blocks     = var.database.allowed_cidr_blocks
  }

  glue_version        = var.etl.glue_version
  worker_type         = var.etl.worker_type
  worker_count        = var.etl.worker_count
  timeout_minutes     = var.etl.timeout_minutes
  max_retries         = var.etl.max_retries
  max_concurrent_runs = var.etl.max_concurrent_runs
  schedule            = var.etl.schedule
  partition_by        = var.etl.partition_by
  max_partitions      = var.etl.max_partitions
  quality_limits      = var.etl.quality_limits
  extra_arguments     = var.etl.extra_arguments

  loader = {
    script_path     = "${var.build_dir}/glue/embeddings_load.py"
    package_path    = "${var.build_dir}/glue/embeddings_load.zip"
    worker_type     = var.load.worker_type
    worker_count    = var.load.worker_count
    timeout_minutes = var.load.timeout_minutes
    max_streams     = var.load.max_streams

    results_bucket = {
      name = module.storage.bucket_names["ml_artifacts"]
      arn  = module.storage.bucket_arns["ml_artifacts"]
    }
    sources = setunion(
      [for purpose in ["data_lake", "ml_artifacts"] : "${module.storage.bucket_names[purpose]}/"],
      coalesce(var.load.sources, []),
    )

    database = {
      host                     = module.vector_db.database_host
      port                     = module.vector_db.database_port
      name                     = module.vector_db.database_name
      secret_arn               = module.vector_db.database_secret_arn
      secret_kms_key_arn       = var.database.kms_key_arn
      sslmode                  = var.load.enforce_database_tls == false ? "disable" : "verify-full"
      client_security_group_id = module.vector_db.database_client_security_group_id
    }
  }
}
