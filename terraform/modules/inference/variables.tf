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
}

variable "function" {
  description = <<-EOT
    The function; each attribute is a variable of modules/function, and what is left out takes its default there, except
    timeout_seconds: 30.
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
}

variable "alerts_topic_arn" {
  description = "ARN of the SNS topic that is told when an alarm goes on or off."
  type        = string
  nullable    = false
}

variable "log_retention_days" {
  description = "Days that the log of the function is kept, one of the numbers CloudWatch offers, such as 7, 30, 90 or 365."
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
