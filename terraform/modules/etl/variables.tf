variable "name_prefix" {
  description = "Start of every name in this module, \"<project>-<environment>\": lower-case letters, digits and single hyphens, 3 to 33 characters."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name_prefix)) && length(var.name_prefix) >= 3 && length(var.name_prefix) <= 33
    error_message = "name_prefix is \"${var.name_prefix}\"; it must be 3 to 33 lower-case letters, digits and single hyphens, starting with a letter."
  }
}

variable "vpc_id" {
  description = "Id of the VPC the job runs in."
  type        = string
  nullable    = false
}

variable "subnets" {
  description = "Private subnets, as {id, availability_zone}. The job runs in the first; a created source database spans all."
  type = list(object({
    id                = string
    availability_zone = string
  }))
  nullable = false

  validation {
    condition     = length(var.subnets) >= 2
    error_message = "subnets has ${length(var.subnets)} entries; RDS needs subnets in at least two availability zones."
  }
}

variable "s3_prefix_list_id" {
  description = "Id of the prefix list of S3's addresses, which the job may reach."
  type        = string
  nullable    = false
}

variable "endpoints_security_group_id" {
  description = "Id of the security group of the VPC's interface endpoints, which the job may reach."
  type        = string
  nullable    = false
}

variable "data_lake_bucket" {
  description = "Bucket of the training data, as {name, arn}."
  type        = object({ name = string, arn = string })
  nullable    = false
}

variable "scripts_bucket" {
  description = "Bucket of the job's script and its Spark event logs, as {name, arn}."
  type        = object({ name = string, arn = string })
  nullable    = false
}

variable "script_path" {
  description = "Path of the job's script on this machine; a changed script is a changed plan."
  type        = string
  nullable    = false

  validation {
    condition     = fileexists(var.script_path)
    error_message = "script_path is \"${var.script_path}\", and there is no such file; `vectorops deploy` builds it."
  }
}

variable "source_database" {
  description = <<-EOT
    An existing MySQL database with the tables customers, products and ratings; null to create one (create_source_database).
    host and port: reachable from the private subnets. name: the schema, such as "classicmodels".
    secret_arn: Secrets Manager secret with "username" and "password"; secret_kms_key_arn: its key, unless it is AWS's own.
    security_group_id: the database's security group, which is opened to the job.
  EOT
  type = object({
    host               = string
    port               = optional(number, 3306)
    name               = string
    secret_arn         = string
    secret_kms_key_arn = optional(string)
    security_group_id  = string
  })
  default = null

  validation {
    condition     = (var.source_database == null) == var.create_source_database
    error_message = var.create_source_database ? "source_database names an existing database and create_source_database asks for a new one; choose one of the two." : "The ETL job has nothing to read: give source_database (an existing MySQL), or set create_source_database = true for a small one to try things out with."
  }

  validation {
    condition     = var.source_database == null ? true : var.source_database.port >= 1 && var.source_database.port <= 65535
    error_message = "source_database.port must be 1 to 65535."
  }

  validation {
    condition     = var.source_database == null ? true : can(regex("^[A-Za-z0-9_$-]{1,64}$", var.source_database.name))
    error_message = "source_database.name must be a MySQL schema name: 1 to 64 letters, digits, _, $ and -."
  }
}

variable "create_source_database" {
  description = "Whether to create a small MySQL database as the source, for trials; its schema is called classicmodels and empty."
  type        = bool
  default     = false
  nullable    = false
}

variable "created_source" {
  description = <<-EOT
    The database that create_source_database makes.
    instance_class: such as "db.t4g.micro". allowed_security_groups (ids by name) and allowed_cidr_blocks (IPv4, /16 or
    smaller): who may connect besides the job, to load it.
  EOT
  type = object({
    instance_class          = optional(string, "db.t4g.micro")
    allowed_security_groups = optional(map(string), {})
    allowed_cidr_blocks     = optional(set(string), [])
  })
  default  = {}
  nullable = false

  validation {
    condition = alltrue([
      for block in var.created_source.allowed_cidr_blocks :
      can(cidrnetmask(block)) && can(regex("/(1[6-9]|2[0-9]|3[0-2])$", block))
    ])
    error_message = "created_source.allowed_cidr_blocks is [${join(", ", var.created_source.allowed_cidr_blocks)}]; each must be an IPv4 range of /16 or smaller."
  }

  validation {
    condition     = can(regex("^db[.][a-z0-9-]+[.][a-z0-9]+$", var.created_source.instance_class))
    error_message = "created_source.instance_class is \"${var.created_source.instance_class}\"; it must look like db.t4g.micro."
  }
}

variable "enforce_source_tls" {
  description = "Whether the job refuses to read the source over a connection without verified TLS."
  type        = bool
  default     = true
  nullable    = false
}

variable "glue_version" {
  description = "Glue version: 5.1 (Spark 3.5, Python 3.11) or 6.0 (Spark 4.1, Python 3.13)."
  type        = string
  default     = "5.1"
  nullable    = false

  validation {
    condition     = contains(["5.1", "6.0"], var.glue_version)
    error_message = "glue_version is \"${var.glue_version}\"; the job is written for 5.1 and 6.0."
  }
}

variable "worker_type" {
  description = "Glue worker type: G.1X (4 processors, 16 GB) for most sources, up to G.8X."
  type        = string
  default     = "G.1X"
  nullable    = false

  validation {
    condition     = contains(["G.1X", "G.2X", "G.4X", "G.8X"], var.worker_type)
    error_message = "worker_type is \"${var.worker_type}\"; it must be G.1X, G.2X, G.4X or G.8X."
  }
}

variable "worker_count" {
  description = "Number of workers, of which one is the driver: 2 to 100."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = var.worker_count >= 2 && var.worker_count <= 100 && floor(var.worker_count) == var.worker_count
    error_message = "worker_count is ${var.worker_count}; it must be a whole number from 2 to 100."
  }
}

variable "timeout_minutes" {
  description = "Minutes after which Glue stops a run, 1 to 2880."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.timeout_minutes >= 1 && var.timeout_minutes <= 2880 && floor(var.timeout_minutes) == var.timeout_minutes
    error_message = "timeout_minutes is ${var.timeout_minutes}; it must be a whole number from 1 to 2880."
  }
}

variable "max_retries" {
  description = "How often Glue repeats a failed run by itself, 0 to 10. A run that the quality gate refused fails again."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.max_retries >= 0 && var.max_retries <= 10 && floor(var.max_retries) == var.max_retries
    error_message = "max_retries is ${var.max_retries}; it must be a whole number from 0 to 10."
  }
}

variable "max_concurrent_runs" {
  description = "How many runs may go on at once. Each replaces the same table, so more than one is rarely of use."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.max_concurrent_runs >= 1 && var.max_concurrent_runs <= 10 && floor(var.max_concurrent_runs) == var.max_concurrent_runs
    error_message = "max_concurrent_runs is ${var.max_concurrent_runs}; it must be a whole number from 1 to 10."
  }
}

variable "schedule" {
  description = "When the job runs by itself, as a Glue cron expression in UTC such as \"cron(15 2 * * ? *)\"; null for never."
  type        = string
  default     = null

  validation {
    condition     = var.schedule == null ? true : can(regex("^cron[(]([^ ()]+ ){5}[^ ()]+[)]$", var.schedule))
    error_message = "schedule must be six fields in cron(...), such as cron(15 2 * * ? *), or null."
  }
}

variable "partition_by" {
  description = "Columns that divide the training data into folders; none for []. The default makes a folder per customer; with many customers, country serves better."
  type        = list(string)
  default     = ["customerNumber"]
  nullable    = false

  validation {
    condition     = length(setsubtract(var.partition_by, local.column_names)) == 0 && length(distinct(var.partition_by)) == length(var.partition_by)
    error_message = "partition_by is [${join(", ", var.partition_by)}]; it must name different columns out of ${join(", ", local.column_names)}."
  }
}

variable "max_partitions" {
  description = "Number of folders beyond which the job refuses to write and advises another partition_by, 1 to 100000."
  type        = number
  default     = 1000
  nullable    = false

  validation {
    condition     = var.max_partitions >= 1 && var.max_partitions <= 100000 && floor(var.max_partitions) == var.max_partitions
    error_message = "max_partitions is ${var.max_partitions}; it must be a whole number from 1 to 100000."
  }
}

variable "quality_limits" {
  description = <<-EOT
    Bad rows that the job lets through: a count ("12"), or a share of the ratings ("0.5%"). Beyond one of them it writes
    nothing and fails. null_keys: rows without their key. bad_ratings: not 1 to 5. orphans: ratings of an unknown
    customer or product. duplicates: the same customer and product again.
  EOT
  type = object({
    null_keys   = optional(string, "0")
    bad_ratings = optional(string, "0")
    orphans     = optional(string, "0")
    duplicates  = optional(string, "0")
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for limit in values(var.quality_limits) : can(regex("^[0-9]+([.][0-9]+%|%)?$", limit))])
    error_message = "quality_limits are ${join(", ", values(var.quality_limits))}; each must be a count such as 12, or a share such as 0.5%."
  }
}

variable "extra_arguments" {
  description = "Further arguments of the job, such as {\"--keep_snapshots\" = \"2\"}. The job's script lists them."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name in keys(var.extra_arguments) : startswith(name, "--") && !contains(keys(local.arguments), name)])
    error_message = "extra_arguments are ${join(", ", keys(var.extra_arguments))}; each must start with --, and not be one that this module sets."
  }
}

variable "loader" {
  description = <<-EOT
    The job that loads embeddings from S3 into the vector database.
    script_path and package_path: its script and its code on this machine. results_bucket: {name, arn}, for reports and
    rejected rows. sources: what it may read, as "bucket/prefix". worker_type, worker_count and timeout_minutes: as of
    the ETL job. max_streams: COPY streams into the database at once, 1 to 200.
    database: host, port, name, the secret with its login, sslmode "verify-full" or "disable", and the security group
    that is admitted to it.
  EOT
  type = object({
    script_path     = string
    package_path    = string
    results_bucket  = object({ name = string, arn = string })
    sources         = set(string)
    worker_type     = optional(string, "G.1X")
    worker_count    = optional(number, 3)
    timeout_minutes = optional(number, 480)
    max_streams     = optional(number, 16)
    database = object({
      host                     = string
      port                     = number
      name                     = string
      secret_arn               = string
      secret_kms_key_arn       = optional(string)
      sslmode                  = optional(string, "verify-full")
      client_security_group_id = string
    })
  })
  nullable = false

  validation {
    condition     = fileexists(var.loader.script_path) && fileexists(var.loader.package_path)
    error_message = "loader.script_path or loader.package_path is no file; `vectorops deploy` builds them."
  }

  validation {
    condition     = alltrue([for source in var.loader.sources : can(regex("^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]/[^*?]*$", source))])
    error_message = "loader.sources are ${join(", ", var.loader.sources)}; each must be a bucket, a slash, and a prefix or nothing, such as my-bucket/embeddings/."
  }

  validation {
    condition     = contains(["G.1X", "G.2X", "G.4X", "G.8X"], var.loader.worker_type) && var.loader.worker_count >= 2 && var.loader.worker_count <= 100 && floor(var.loader.worker_count) == var.loader.worker_count
    error_message = "loader.worker_type must be G.1X, G.2X, G.4X or G.8X, and loader.worker_count a whole number from 2 to 100."
  }

  validation {
    condition     = var.loader.timeout_minutes >= 1 && var.loader.timeout_minutes <= 2880 && var.loader.max_streams >= 1 && var.loader.max_streams <= 200 && floor(var.loader.max_streams) == var.loader.max_streams
    error_message = "loader.timeout_minutes must be 1 to 2880, and loader.max_streams a whole number from 1 to 200."
  }

  validation {
    condition     = contains(["verify-full", "disable"], var.loader.database.sslmode)
    error_message = "loader.database.sslmode is \"${var.loader.database.sslmode}\"; it must be verify-full or disable."
  }
}

variable "tags" {
  description = "Tags added to everything in this module, besides the provider's default tags."
  type        = map(string)
  default     = {}
  nullable    = false
}
