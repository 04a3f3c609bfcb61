variable "project" {
  description = "First part of every name: 2 to 20 lower-case letters and digits, starting with a letter."
  type        = string
  default     = "vectorops"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,19}$", var.project))
    error_message = "project is \"${var.project}\"; it must be 2 to 20 lower-case letters and digits, starting with a letter."
  }
}

variable "environment" {
  description = "Name of this deployment and second part of every name: 2 to 12 lower-case letters and digits, starting with a letter."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,11}$", var.environment))
    error_message = "environment is \"${var.environment}\"; it must be 2 to 12 lower-case letters and digits, starting with a letter."
  }
}

variable "region" {
  description = "AWS region, such as eu-central-1."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region is \"${var.region}\"; it must look like eu-central-1."
  }
}

variable "local_target" {
  description = "Whether the provider talks to an emulator, whose address AWS_ENDPOINT_URL gives. Touches the provider's checks only."
  type        = bool
  default     = false
  nullable    = false
}

variable "build_dir" {
  description = "Folder of the packages that `vectorops deploy` builds, as an absolute path."
  type        = string
  nullable    = false
}

variable "network" {
  description = <<-EOT
    The network; what is left out takes the default of modules/network.
    cidr_block: IPv4 range of the VPC, /16 to /20.
    availability_zone_count: 2 or 3.
    interface_endpoints: AWS services reached from the private subnets, such as "secretsmanager"; billed per hour and zone.
  EOT
  type = object({
    cidr_block              = optional(string)
    availability_zone_count = optional(number)
    interface_endpoints     = optional(set(string))
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.local_target || contains(coalesce(var.network.interface_endpoints, []), "secretsmanager")
    error_message = "network.interface_endpoints lacks \"secretsmanager\": the VPC has no other way to it, and the functions and the Glue job read their database passwords there. Without it they would hang until they time out."
  }
}

variable "storage" {
  description = <<-EOT
    The buckets; what is left out takes the default of modules/storage.
    force_destroy: whether `destroy` deletes buckets that hold objects.
    noncurrent_version_days, log_retention_days, recommendations_retention_days: days, see the module.
  EOT
  type = object({
    force_destroy                  = optional(bool)
    noncurrent_version_days        = optional(number)
    log_retention_days             = optional(number)
    recommendations_retention_days = optional(number)
  })
  default  = {}
  nullable = false
}

variable "database" {
  description = <<-EOT
    The vector database; what is left out takes the default of modules/vector-db, whose README says more.
    engine_version: "17" or "18". instance_class: such as "db.r7g.large". Storage sizes in GiB, retentions in days.
    allowed_security_groups (ids by name) and allowed_cidr_blocks (IPv4, /16 or smaller): who may connect, also to a
    created source database.
  EOT
  type = object({
    engine_version                      = optional(string)
    allow_major_version_upgrade         = optional(bool)
    instance_class                      = optional(string)
    allocated_storage_gib               = optional(number)
    max_allocated_storage_gib           = optional(number)
    port                                = optional(number)
    multi_az                            = optional(bool)
    backup_retention_days               = optional(number)
    backup_window                       = optional(string)
    maintenance_window                  = optional(string)
    apply_immediately                   = optional(bool)
    deletion_protection                 = optional(bool)
    skip_final_snapshot                 = optional(bool)
    performance_insights_retention_days = optional(number)
    index_build_memory_percent          = optional(number)
    kms_key_arn                         = optional(string)
    allowed_security_groups             = optional(map(string))
    allowed_cidr_blocks                 = optional(set(string))
  })
  default  = {}
  nullable = false
}

variable "source_database" {
  description = <<-EOT
    An existing MySQL database with the tables customers, products and ratings, which the ETL job reads; null to create one.
    host and port: reachable from the private subnets. name: the schema, such as "classicmodels".
    secret_arn: Secrets Manager secret with "username" and "password"; secret_kms_key_arn: its key, unless it is AWS's own.
    security_group_id: the database's security group, which is opened to the job.
  EOT
  type = object({
    host               = string
    port               = optional(number)
    name               = string
    secret_arn         = string
    secret_kms_key_arn = optional(string)
    security_group_id  = string
  })
  default = null
}

variable "create_source_database" {
  description = "Whether to create a small MySQL database as the source, for trials. Without it, source_database is needed."
  type        = bool
  default     = false
  nullable    = false
}

variable "etl" {
  description = <<-EOT
    The Glue job; what is left out takes the default of modules/etl, whose README says more.
    worker_type and worker_count: size. timeout_minutes, max_retries, max_concurrent_runs: limits.
    schedule: such as "cron(15 2 * * ? *)", UTC. partition_by: columns. max_partitions: folders.
    quality_limits: bad rows that are let through, as "12" or "0.5%". extra_arguments: of the job, such as "--keep_snapshots".
    enforce_source_tls: whether the source must offer TLS.
    created_source_instance_class: RDS instance class of the database that create_source_database makes.
  EOT
  type = object({
    glue_version                  = optional(string)
    worker_type                   = optional(string)
    worker_count                  = optional(number)
    timeout_minutes               = optional(number)
    max_retries                   = optional(number)
    max_concurrent_runs           = optional(number)
    schedule                      = optional(string)
    partition_by                  = optional(list(string))
    max_partitions                = optional(number)
    enforce_source_tls            = optional(bool)
    created_source_instance_class = optional(string)
    extra_arguments               = optional(map(string))
    quality_limits = optional(object({
      null_keys   = optional(string)
      bad_ratings = optional(string)
      orphans     = optional(string)
      duplicates  = optional(string)
    }))
  })
  default  = {}
  nullable = false
}

variable "load" {
  description = <<-EOT
    The Glue job of `load-embeddings --engine glue`; what is left out takes the default of modules/etl.
    worker_type, worker_count: size. timeout_minutes: limit. max_streams: COPY streams into the database at once.
    sources: what it may read besides the data lake and the ML artefacts, as "bucket/prefix".
    enforce_database_tls: whether the database must offer TLS.
  EOT
  type = object({
    worker_type          = optional(string)
    worker_count         = optional(number)
    timeout_minutes      = optional(number)
    max_streams          = optional(number)
    sources              = optional(set(string))
    enforce_database_tls = optional(bool)
  })
  default  = {}
  nullable = false
}

variable "functions" {
  description = <<-EOT
    What transform and inference share; what is left out takes the default of vectorops/functions/configuration.py, or of
    modules/function. item_table: table of the item vectors. item_limit: items in each list, 1 to 100.
    exclude_cart_items: whether what is in the cart is not recommended. catalogue_budget_mib: a table of up to so many MiB,
    0 to 4096, is held in memory. catalogue_max_age_seconds: when it is read again although no load was recorded, 1 to 86400.
    enforce_database_tls: whether the database must show a certificate. log_retention_days, enable_tracing: see the module.
  EOT
  type = object({
    item_table                = optional(string)
    item_limit                = optional(number)
    exclude_cart_items        = optional(bool)
    catalogue_budget_mib      = optional(number)
    catalogue_max_age_seconds = optional(number)
    enforce_database_tls      = optional(bool)
    log_retention_days        = optional(number)
    enable_tracing            = optional(bool)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.functions.item_limit == null ? true : var.functions.item_limit >= 1 && var.functions.item_limit <= 100 && floor(var.functions.item_limit) == var.functions.item_limit
    error_message = "functions.item_limit must be a whole number from 1 to 100."
  }

  validation {
    condition     = var.functions.catalogue_budget_mib == null ? true : var.functions.catalogue_budget_mib >= 0 && var.functions.catalogue_budget_mib <= 4096 && floor(var.functions.catalogue_budget_mib) == var.functions.catalogue_budget_mib
    error_message = "functions.catalogue_budget_mib must be a whole number from 0 to 4096."
  }

  validation {
    condition     = var.functions.catalogue_max_age_seconds == null ? true : var.functions.catalogue_max_age_seconds >= 1 && var.functions.catalogue_max_age_seconds <= 86400 && floor(var.functions.catalogue_max_age_seconds) == var.functions.catalogue_max_age_seconds
    error_message = "functions.catalogue_max_age_seconds must be a whole number from 1 to 86400."
  }

  validation {
    condition     = var.functions.item_table == null ? true : can(regex("^[a-z_][a-z0-9_]{0,62}([.][a-z_][a-z0-9_]{0,62})?$", var.functions.item_table))
    error_message = "functions.item_table must be the name of a table, with or without its schema, such as item_emb."
  }
}

variable "streaming" {
  description = <<-EOT
    Stream, delivery stream and transform; what is left out takes the default of modules/streaming, whose README says more.
    shard_count: shards of a provisioned stream, none for one that follows the load. retention_hours: of the stream.
    kms_key_arn: key of the stream. memory_mb, timeout_seconds, reserved_concurrency: of the transform.
    transform_buffer_mb and _seconds, transform_retries: calls of the transform. delivery_buffer_mib and _seconds: objects.
    compression: "UNCOMPRESSED" or "GZIP". query_limit_gib: what an Athena query may scan.
    iterator_age_alarm_seconds: how long events may wait before an alarm.
  EOT
  type = object({
    shard_count                = optional(number)
    retention_hours            = optional(number)
    kms_key_arn                = optional(string)
    memory_mb                  = optional(number)
    timeout_seconds            = optional(number)
    reserved_concurrency       = optional(number)
    transform_buffer_mb        = optional(number)
    transform_buffer_seconds   = optional(number)
    transform_retries          = optional(number)
    delivery_buffer_mib        = optional(number)
    delivery_buffer_seconds    = optional(number)
    compression                = optional(string)
    query_limit_gib            = optional(number)
    iterator_age_alarm_seconds = optional(number)
  })
  default  = {}
  nullable = false
}

variable "inference" {
  description = <<-EOT
    The API; what is left out takes the default of modules/inference.
    memory_mb: 128 to 10240. timeout_seconds: 3 to 900. reserved_concurrency: invocations at once.
  EOT
  type = object({
    memory_mb            = optional(number)
    timeout_seconds      = optional(number)
    reserved_concurrency = optional(number)
  })
  default  = {}
  nullable = false
}
