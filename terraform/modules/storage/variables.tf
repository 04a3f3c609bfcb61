variable "name_prefix" {
  description = "Start of every name in this module, \"<project>-<environment>\": lower-case letters, digits and single hyphens, 3 to 33 characters."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name_prefix)) && length(var.name_prefix) >= 3 && length(var.name_prefix) <= 33
    error_message = "name_prefix is \"${var.name_prefix}\"; it must be 3 to 33 lower-case letters, digits and single hyphens, starting with a letter."
  }
}

variable "force_destroy" {
  description = "Whether destroying the stack deletes the buckets with everything in them. Where false, a bucket that is not empty stops the destroy."
  type        = bool
  default     = false
  nullable    = false
}

variable "noncurrent_version_days" {
  description = "Days that a replaced or deleted object of a versioned bucket can still be brought back, 1 to 3650."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = var.noncurrent_version_days >= 1 && var.noncurrent_version_days <= 3650 && floor(var.noncurrent_version_days) == var.noncurrent_version_days
    error_message = "noncurrent_version_days is ${var.noncurrent_version_days}; it must be a whole number from 1 to 3650."
  }
}

variable "log_retention_days" {
  description = "Days that job logs under logs/ of the scripts bucket are kept, 1 to 3650."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.log_retention_days >= 1 && var.log_retention_days <= 3650 && floor(var.log_retention_days) == var.log_retention_days
    error_message = "log_retention_days is ${var.log_retention_days}; it must be a whole number from 1 to 3650."
  }
}

variable "recommendations_retention_days" {
  description = "Days that delivered recommendations are kept, 1 to 3650; null keeps them for good."
  type        = number
  default     = null

  validation {
    condition     = var.recommendations_retention_days == null ? true : var.recommendations_retention_days >= 1 && var.recommendations_retention_days <= 3650 && floor(var.recommendations_retention_days) == var.recommendations_retention_days
    error_message = "recommendations_retention_days must be a whole number from 1 to 3650, or null to keep them for good."
  }
}

variable "tags" {
  description = "Tags added to everything in this module, besides the provider's default tags."
  type        = map(string)
  default     = {}
  nullable    = false
}
