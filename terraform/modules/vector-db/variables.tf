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
  description = "Id of the VPC of the database."
  type        = string
  nullable    = false
}

variable "subnet_ids" {
  description = "Ids of private subnets in at least two availability zones."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "subnet_ids has ${length(var.subnet_ids)} entries; RDS needs subnets in at least two availability zones."
  }
}

variable "s3_prefix_list_id" {
  description = "Id of the prefix list of S3's addresses: the only place the database itself opens connections to."
  type        = string
  nullable    = false
}

variable "import_bucket_arn" {
  description = "ARN of the bucket the database may import from."
  type        = string
  nullable    = false
}

variable "import_prefix" {
  description = "Prefix in that bucket the database may import from, ending in a slash."
  type        = string
  default     = "embeddings/"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*/$", var.import_prefix))
    error_message = "import_prefix is \"${var.import_prefix}\"; it must be a prefix without wildcards that ends in a slash, such as embeddings/."
  }
}

variable "allowed_security_groups" {
  description = "Security groups admitted to the database besides the module's own client group: ids by a name for each."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = !contains(keys(var.allowed_security_groups), "client")
    error_message = "allowed_security_groups calls a group \"client\", which is the name of the module's own group; call it something else."
  }
}

variable "allowed_cidr_blocks" {
  description = "IPv4 ranges admitted to the database, /16 or smaller, such as that of a VPN. The VPC has no IPv6."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition = alltrue([
      for block in var.allowed_cidr_blocks :
      can(cidrnetmask(block)) && can(regex("/(1[6-9]|2[0-9]|3[0-2])$", block))
    ])
    error_message = "allowed_cidr_blocks is [${join(", ", var.allowed_cidr_blocks)}]; each must be an IPv4 range of /16 or smaller. The database is never opened to the whole internet: forward a port instead."
  }
}

variable "engine_version" {
  description = "PostgreSQL version: 17 or 18. Leave the minor version off, so that RDS takes its newest and keeps it up to date."
  type        = string
  default     = "18"
  nullable    = false

  validation {
    condition     = can(regex("^(17|18)([.][0-9]{1,2})?$", var.engine_version))
    error_message = "engine_version is \"${var.engine_version}\"; it must be 17 or 18, with or without a minor version."
  }
}

variable "allow_major_version_upgrade" {
  description = "Whether a change of engine_version from 17 to 18 may be applied. Such an upgrade takes the database offline for minutes."
  type        = bool
  default     = false
  nullable    = false
}

variable "instance_class" {
  description = "RDS instance class. Search is fast while the HNSW indexes fit into its memory: rows x (8 + 4 x dimension) bytes x 1.3, roughly."
  type        = string
  default     = "db.t4g.medium"
  nullable    = false

  validation {
    condition     = can(regex("^db[.][a-z0-9-]+[.][a-z0-9]+$", var.instance_class))
    error_message = "instance_class is \"${var.instance_class}\"; it must look like db.r7g.large."
  }
}

variable "allocated_storage_gib" {
  description = "Storage to begin with, in GiB, 20 (the least for gp3) to 65536."
  type        = number
  default     = 20
  nullable    = false

  validation {
    condition     = var.allocated_storage_gib >= 20 && var.allocated_storage_gib <= 65536
    error_message = "allocated_storage_gib is ${var.allocated_storage_gib}; it must be 20 to 65536."
  }
}

variable "max_allocated_storage_gib" {
  description = "Limit that RDS may grow the storage to, in GiB. RDS asks for at least a tenth more than allocated_storage_gib."
  type        = number
  default     = 200
  nullable    = false

  validation {
    condition     = var.max_allocated_storage_gib >= var.allocated_storage_gib * 1.1 && var.max_allocated_storage_gib <= 65536
    error_message = "max_allocated_storage_gib is ${var.max_allocated_storage_gib}; it must be at least a tenth more than allocated_storage_gib (${var.allocated_storage_gib}) and at most 65536."
  }
}

variable "port" {
  description = "TCP port the database listens on, 1150 to 65535; null for the engine's own (5432)."
  type        = number
  default     = null

  validation {
    condition     = var.port == null ? true : var.port >= 1150 && var.port <= 65535
    error_message = "port must be 1150 to 65535, the range RDS accepts, or null."
  }
}

variable "multi_az" {
  description = "Whether a standby in another availability zone takes over when the instance fails. Doubles its price."
  type        = bool
  default     = false
  nullable    = false
}

variable "backup_retention_days" {
  description = "Days that automatic backups are kept and the database can be restored to any second of, 1 to 35."
  type        = number
  default     = 7
  nullable    = false

  validation {
    condition     = var.backup_retention_days >= 1 && var.backup_retention_days <= 35
    error_message = "backup_retention_days is ${var.backup_retention_days}; it must be 1 to 35. A database without backups is not offered."
  }
}

variable "backup_window" {
  description = "Daily time of the automatic backup, UTC, as \"hh:mm-hh:mm\"; it must not overlap maintenance_window."
  type        = string
  default     = "02:00-03:00"
  nullable    = false
}

variable "maintenance_window" {
  description = "Weekly time in which RDS may restart the instance, UTC, as \"ddd:hh:mm-ddd:hh:mm\"."
  type        = string
  default     = "sun:03:30-sun:04:30"
  nullable    = false
}

variable "apply_immediately" {
  description = "Whether changes that restart the instance happen at once; otherwise they wait for maintenance_window."
  type        = bool
  default     = false
  nullable    = false
}

variable "deletion_protection" {
  description = "Whether AWS refuses to delete the database, whoever asks."
  type        = bool
  default     = true
  nullable    = false
}

variable "skip_final_snapshot" {
  description = "Whether deleting the database leaves no snapshot \"<identifier>-final\" behind."
  type        = bool
  default     = false
  nullable    = false
}

variable "performance_insights_retention_days" {
  description = "Days that Performance Insights keeps query statistics: 7 (free), 731, or a multiple of 31 between."
  type        = number
  default     = 7
  nullable    = false

  validation {
    condition     = contains([7, 731], var.performance_insights_retention_days) || (var.performance_insights_retention_days % 31 == 0 && var.performance_insights_retention_days >= 31 && var.performance_insights_retention_days <= 713)
    error_message = "performance_insights_retention_days is ${var.performance_insights_retention_days}; it must be 7, 731, or a multiple of 31 from 31 to 713."
  }
}

variable "index_build_memory_percent" {
  description = "Share of the instance's memory that one index build may use (maintenance_work_mem), in percent, 2 to 50. An HNSW graph that does not fit is built many times slower."
  type        = number
  default     = 25
  nullable    = false

  validation {
    condition     = var.index_build_memory_percent >= 2 && var.index_build_memory_percent <= 50 && floor(var.index_build_memory_percent) == var.index_build_memory_percent
    error_message = "index_build_memory_percent is ${var.index_build_memory_percent}; it must be a whole number from 2 to 50. A quarter of the memory is PostgreSQL's cache, and queries need theirs."
  }
}

variable "kms_key_arn" {
  description = "ARN of the KMS key for storage, snapshots, master secret and Performance Insights; null for the AWS-managed keys."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags added to everything in this module, besides the provider's default tags."
  type        = map(string)
  default     = {}
  nullable    = false
}
