variable "name_prefix" {
  description = "Start of every name in this module, \"<project>-<environment>\": lower-case letters, digits and single hyphens, 3 to 33 characters."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name_prefix)) && length(var.name_prefix) >= 3 && length(var.name_prefix) <= 33
    error_message = "name_prefix is \"${var.name_prefix}\"; it must be 3 to 33 lower-case letters, digits and single hyphens, starting with a letter."
  }
}

variable "network" {
  description = <<-EOT
    Where the transform runs. vpc_id and subnet_ids: the VPC and its private subnets. s3_prefix_list_id: prefix list of S3's
    addresses. endpoints_security_group_id: security group of the interface endpoints. It may reach the last two.
  EOT
  type = object({
    vpc_id                      = string
    subnet_ids                  = list(string)
    s3_prefix_list_id           = string
    endpoints_security_group_id = string
  })
  nullable = false
}

variable "function" {
  description = <<-EOT
    The transform; each attribute is a variable of modules/function, and what is left out takes its default there.
    timeout_seconds: 300 at most, which is how long Firehose waits.
  EOT
  type = object({
    package_path              = string
    architecture              = optional(string)
    memory_mb                 = optional(number)
    timeout_seconds           = optional(number)
    reserved_concurrency      = optional(number)
    environment               = optional(map(string))
    client_security_group_ids = optional(list(string))
    readable_secrets          = optional(list(object({ arn = string, kms_key_arn = optional(string) })))
    readable_objects          = optional(map(object({ bucket_arn = string, prefix = string })))
    enable_tracing            = optional(bool)
  })
  nullable = false

  validation {
    condition     = var.function.timeout_seconds == null ? true : var.function.timeout_seconds <= 300
    error_message = "function.timeout_seconds is more than 300; Firehose waits for the transform no longer than five minutes."
  }
}

variable "recommendations_bucket" {
  description = "Bucket that recommendations are delivered to, as {name, arn}."
  type        = object({ name = string, arn = string })
  nullable    = false
}

variable "query_results_prefix" {
  description = "Prefix in that bucket for the results of Athena queries, where they expire."
  type        = string
  nullable    = false
}

variable "catalog_database" {
  description = "Name of the database in the Glue Data Catalog that the recommendations' table is put into."
  type        = string
  nullable    = false
}

variable "alerts_topic_arn" {
  description = "ARN of the SNS topic that is told when an alarm goes on or off."
  type        = string
  nullable    = false
}

variable "shard_count" {
  description = "Shards of a provisioned stream, 1 to 1000, each for 1 MB and 1000 records a second; null for a stream that follows the load and is billed by it."
  type        = number
  default     = null

  validation {
    condition     = var.shard_count == null ? true : var.shard_count >= 1 && var.shard_count <= 1000 && floor(var.shard_count) == var.shard_count
    error_message = "shard_count must be a whole number from 1 to 1000, or null for a stream that follows the load."
  }
}

variable "retention_hours" {
  description = "Hours that the stream keeps events, 24 to 8760: how long Firehose may be stopped without a loss."
  type        = number
  default     = 24
  nullable    = false

  validation {
    condition     = var.retention_hours >= 24 && var.retention_hours <= 8760 && floor(var.retention_hours) == var.retention_hours
    error_message = "retention_hours is ${var.retention_hours}; it must be a whole number from 24 to 8760."
  }
}

variable "kms_key_arn" {
  description = "ARN of the KMS key of the stream; null for AWS's own. Who sends to the stream needs kms:GenerateDataKey on it."
  type        = string
  default     = null
}

variable "transform_buffer_mb" {
  description = "Events collected for one call of the transform, in MB, 0.2 to 3. A response over 5 MB fails what exceeds it, and recommendations make an event several times longer: lower this for more than five items."
  type        = number
  default     = 0.5
  nullable    = false

  validation {
    condition     = var.transform_buffer_mb >= 0.2 && var.transform_buffer_mb <= 3
    error_message = "transform_buffer_mb is ${var.transform_buffer_mb}; it must be 0.2 to 3."
  }
}

variable "transform_buffer_seconds" {
  description = "Seconds after which the transform is called with what there is, 0 to 900."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.transform_buffer_seconds >= 0 && var.transform_buffer_seconds <= 900 && floor(var.transform_buffer_seconds) == var.transform_buffer_seconds
    error_message = "transform_buffer_seconds is ${var.transform_buffer_seconds}; it must be a whole number from 0 to 900."
  }
}

variable "transform_retries" {
  description = "How often Firehose repeats a call of the transform that failed, 0 to 300, before the batch goes to the error prefix."
  type        = number
  default     = 3
  nullable    = false

  validation {
    condition     = var.transform_retries >= 0 && var.transform_retries <= 300 && floor(var.transform_retries) == var.transform_retries
    error_message = "transform_retries is ${var.transform_retries}; it must be a whole number from 0 to 300."
  }
}

variable "delivery_buffer_mib" {
  description = "Size at which an object is written, in MiB, 1 to 128."
  type        = number
  default     = 5
  nullable    = false

  validation {
    condition     = var.delivery_buffer_mib >= 1 && var.delivery_buffer_mib <= 128 && floor(var.delivery_buffer_mib) == var.delivery_buffer_mib
    error_message = "delivery_buffer_mib is ${var.delivery_buffer_mib}; it must be a whole number from 1 to 128."
  }
}

variable "delivery_buffer_seconds" {
  description = "Seconds after which an object is written with what there is, 0 to 900. Few seconds make many small objects, which Athena reads slowly."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.delivery_buffer_seconds >= 0 && var.delivery_buffer_seconds <= 900 && floor(var.delivery_buffer_seconds) == var.delivery_buffer_seconds
    error_message = "delivery_buffer_seconds is ${var.delivery_buffer_seconds}; it must be a whole number from 0 to 900."
  }
}

variable "compression" {
  description = "Whether objects are compressed: UNCOMPRESSED or GZIP. Athena reads both."
  type        = string
  default     = "UNCOMPRESSED"
  nullable    = false

  validation {
    condition     = contains(["UNCOMPRESSED", "GZIP"], var.compression)
    error_message = "compression is \"${var.compression}\"; it must be UNCOMPRESSED or GZIP."
  }
}

variable "table_days" {
  description = "Days that the table reaches back, 1 to 3650. A query that does not limit datehour looks for every hour of them."
  type        = number
  default     = 365
  nullable    = false

  validation {
    condition     = var.table_days >= 1 && var.table_days <= 3650 && floor(var.table_days) == var.table_days
    error_message = "table_days is ${var.table_days}; it must be a whole number from 1 to 3650."
  }
}

variable "query_limit_gib" {
  description = "Data that one Athena query may scan before it is cancelled, in GiB, 1 to 10000."
  type        = number
  default     = 10
  nullable    = false

  validation {
    condition     = var.query_limit_gib >= 1 && var.query_limit_gib <= 10000 && floor(var.query_limit_gib) == var.query_limit_gib
    error_message = "query_limit_gib is ${var.query_limit_gib}; it must be a whole number from 1 to 10000."
  }
}

variable "iterator_age_alarm_seconds" {
  description = "Age of the oldest unread event, in seconds, 60 to 86400, beyond which an alarm goes on."
  type        = number
  default     = 600
  nullable    = false

  validation {
    condition     = var.iterator_age_alarm_seconds >= 60 && var.iterator_age_alarm_seconds <= 86400
    error_message = "iterator_age_alarm_seconds is ${var.iterator_age_alarm_seconds}; it must be 60 to 86400."
  }
}

variable "log_retention_days" {
  description = "Days that the logs of delivery stream and transform are kept, one of the numbers CloudWatch offers, such as 7, 30, 90 or 365."
  type        = number
  default     = 30
  nullable    = false
}

variable "tags" {
  description = "Tags added to everything in this module, besides the provider's default tags."
  type        = map(string)
  default     = {}
  nullable    = false
}
