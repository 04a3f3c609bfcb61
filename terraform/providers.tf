provider "aws" {
  region = var.region

  # An emulator has no instance metadata, no STS to ask, and buckets under its path rather than under host names of
  # their own. Where its API is, and with which keys, comes from the environment, as for every AWS tool.
  skip_credentials_validation = var.local_target
  skip_metadata_api_check     = var.local_target
  skip_region_validation      = var.local_target
  s3_use_path_style           = var.local_target

  default_tags {
    tags = {
      Project     = var.project
      Environment = var.environment
      ManagedBy   = "terraform"
    }
  }
}
