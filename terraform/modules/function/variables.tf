variable "name_prefix" {
  description = "Start of every name in this module, \"<project>-<environment>\": lower-case letters, digits and single hyphens, 3 to 33 characters."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name_prefix)) && length(var.name_prefix) >= 3 && length(var.name_prefix) <= 33
    error_message = "name_prefix is \"${var.name_prefix}\"; it must be 3 to 33 lower-case letters, digits and single hyphens, starting with a letter."
  }
}

variable "name" {
  description = "What the function is called after the prefix, and its metrics and log lines under: 2 to 20 lower-case letters, digits and single hyphens."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name)) && length(var.name) >= 2 && length(var.name) <= 20
    error_message = "name is \"${var.name}\"; it must be 2 to 20 lower-case letters, digits and single hyphens, starting with a letter."
  }
}

variable "description" {
  description = "What the function does, in one sentence of up to 256 characters."
  type        = string
  nullable    = false
}

variable "handler" {
  description = "Python function that answers, such as \"vectorops.functions.transform.handler\"."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z_][A-Za-z0-9_]*([.][A-Za-z_][A-Za-z0-9_]*)+$", var.handler))
    error_message = "handler is \"${var.handler}\"; it must be a module and a function in it, such as vectorops.functions.transform.handler."
  }
}

variable "package_path" {
  description = "Path of the function's zip on this machine; a changed zip is a changed plan, the same bytes are none."
  type        = string
  nullable    = false

  validation {
    condition     = fileexists(var.package_path)
    error_message = "package_path is \"${var.package_path}\", and there is no such file; `vectorops deploy` builds it."
  }
}

variable "architecture" {
  description = "Processor the zip was built for: arm64, which costs a fifth less, or x86_64."
  type        = string
  default     = "arm64"
  nullable    = false

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture is \"${var.architecture}\"; it must be arm64 or x86_64."
  }
}

variable "memory_mb" {
  description = "Memory in MB, 128 to 10240. Processor time comes in proportion: one processor at 1769."
  type        = number
  default     = 1024
  nullable    = false

  validation {
    condition     = var.memory_mb >= 128 && var.memory_mb <= 10240 && floor(var.memory_mb) == var.memory_mb
    error_message = "memory_mb is ${var.memory_mb}; it must be a whole number from 128 to 10240."
  }
}

variable "timeout_seconds" {
  description = "Seconds after which Lambda ends an invocation, 3 to 900."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.timeout_seconds >= 3 && var.timeout_seconds <= 900 && floor(var.timeout_seconds) == var.timeout_seconds
    error_message = "timeout_seconds is ${var.timeout_seconds}; it must be a whole number from 3 to 900."
  }
}

variable "reserved_concurrency" {
  description = "How many invocations may go on at once, and are kept for this function; each holds a database connection. 0 stops the function; null for what the account has left."
  type        = number
  default     = null

  validation {
    condition     = var.reserved_concurrency == null ? true : var.reserved_concurrency >= 0 && floor(var.reserved_concurrency) == var.reserved_concurrency
    error_message = "reserved_concurrency must be a whole number, 0 or more, or null."
  }
}

variable "environment" {
  description = "Environment variables of the function. No secrets: who may see the function sees them."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name in keys(var.environment) : can(regex("^[A-Z][A-Z0-9_]+$", name)) && !startswith(name, "AWS_") && !startswith(name, "POWERTOOLS_")])
    error_message = "environment has ${join(", ", keys(var.environment))}; each must be upper case, and neither AWS_… nor POWERTOOLS_…, which Lambda and this module set."
  }
}

variable "readable_secrets" {
  description = "Secrets the function may read, as {arn, kms_key_arn}; the key only where it is not AWS's own."
  type = list(object({
    arn         = string
    kms_key_arn = optional(string)
  }))
  default  = []
  nullable = false
}

variable "readable_objects" {
  description = "What the function may read in S3, as {bucket_arn, prefix} by a word for each, such as \"models\"; a prefix ends in a slash."
  type = map(object({
    bucket_arn = string
    prefix     = string
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for word in keys(var.readable_objects) : can(regex("^[a-z]+$", word))])
    error_message = "readable_objects are called ${join(", ", keys(var.readable_objects))}; each must be one lower-case word, such as models."
  }

  validation {
    condition     = alltrue([for objects in values(var.readable_objects) : can(regex("^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*/$", objects.prefix))])
    error_message = "readable_objects have the prefixes ${join(", ", values(var.readable_objects)[*].prefix)}; each must be without wildcards and end in a slash, such as model/."
  }
}

variable "network" {
  description = <<-EOT
    Where the function runs. vpc_id and subnet_ids: the VPC and its private subnets. s3_prefix_list_id: prefix list of S3's
    addresses. endpoints_security_group_id: security group of the interface endpoints. It may reach the last two.
  EOT
  type = object({
    vpc_id                      = string
    subnet_ids                  = list(string)
    s3_prefix_list_id           = string
    endpoints_security_group_id = string
  })
  nullable = false

  validation {
    condition     = length(var.network.subnet_ids) >= 1
    error_message = "network.subnet_ids is empty; the function needs a private subnet, two to survive the loss of a zone."
  }
}

variable "client_security_group_ids" {
  description = "Ids of further security groups the function wears, such as that of the database's clients. With its own, five at most."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(var.client_security_group_ids) <= 4
    error_message = "client_security_group_ids has ${length(var.client_security_group_ids)} entries; a network interface wears five groups at most, and one is the function's own."
  }
}

variable "log_retention_days" {
  description = "Days that the function's log is kept, one of the numbers CloudWatch offers, such as 7, 30, 90 or 365."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days is ${var.log_retention_days}; CloudWatch offers 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365 and more, up to 3653."
  }
}

variable "enable_tracing" {
  description = "Whether X-Ray records invocations; the first 100,000 a month are free."
  type        = bool
  default     = true
  nullable    = false
}

variable "alerts_topic_arn" {
  description = "ARN of the SNS topic that is told when an alarm goes on or off."
  type        = string
  nullable    = false
}

variable "tags" {
  description = "Tags added to everything in this module, besides the provider's default tags."
  type        = map(string)
  default     = {}
  nullable    = false
}
