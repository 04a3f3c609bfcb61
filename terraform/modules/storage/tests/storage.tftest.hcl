mock_provider "aws" {
  source = "../../tests/mocks"
}

variables {
  name_prefix = "vectorops-test"
}

run "names_every_bucket_after_its_account" {
  command = plan

  assert {
    condition = { for key, bucket in aws_s3_bucket.this : key => bucket.bucket } == {
      data_lake       = "vectorops-test-data-lake-123456789012"
      ml_artifacts    = "vectorops-test-ml-artifacts-123456789012"
      scripts         = "vectorops-test-scripts-123456789012"
      recommendations = "vectorops-test-recommendations-123456789012"
    }
    error_message = "bucket names must be <prefix>-<purpose>-<account>, since all of AWS shares them"
  }
}

run "no_bucket_can_be_made_public" {
  command = plan

  assert {
    condition     = keys(aws_s3_bucket_public_access_block.this) == keys(aws_s3_bucket.this)
    error_message = "every bucket needs a public access block"
  }

  assert {
    condition = alltrue([for block in aws_s3_bucket_public_access_block.this :
      block.block_public_acls && block.block_public_policy && block.ignore_public_acls && block.restrict_public_buckets
    ])
    error_message = "all four switches of the public access block must be on"
  }

  assert {
    condition     = alltrue([for key in keys(aws_s3_bucket.this) : aws_s3_bucket_ownership_controls.this[key].rule[0].object_ownership == "BucketOwnerEnforced"])
    error_message = "access lists of single objects must be off"
  }
}

run "every_bucket_is_encrypted_and_refuses_plain_http" {
  command = apply

  assert {
    condition = alltrue([for key in keys(aws_s3_bucket.this) :
      one(aws_s3_bucket_server_side_encryption_configuration.this[key].rule).apply_server_side_encryption_by_default[0].sse_algorithm == "AES256"
    ])
    error_message = "every bucket must encrypt what is put into it"
  }

  assert {
    condition     = keys(aws_s3_bucket_policy.tls_only) == keys(aws_s3_bucket.this)
    error_message = "every bucket needs the TLS-only policy"
  }

  assert {
    condition = alltrue([for key, document in data.aws_iam_policy_document.tls_only :
      document.statement[0].effect == "Deny"
      && toset(document.statement[0].resources) == toset([aws_s3_bucket.this[key].arn, "${aws_s3_bucket.this[key].arn}/*"])
      && one(document.statement[0].condition).variable == "aws:SecureTransport"
      && one(document.statement[0].condition).values == tolist(["false"])
    ])
    error_message = "the policy must deny everything on the bucket and its objects when the call is not over TLS"
  }
}

run "keeps_versions_of_models_and_embeddings_only" {
  command = plan

  assert {
    condition     = keys(aws_s3_bucket_versioning.this) == ["ml_artifacts"] && aws_s3_bucket_versioning.this["ml_artifacts"].versioning_configuration[0].status == "Enabled"
    error_message = "the artefact bucket, and no other, must keep versions"
  }

  assert {
    condition     = one([for rule in aws_s3_bucket_lifecycle_configuration.this["ml_artifacts"].rule : rule.noncurrent_version_expiration[0].noncurrent_days if rule.id == "expire-noncurrent-versions"]) == 90
    error_message = "versions must go after 90 days unless asked otherwise"
  }
}

run "unfinished_uploads_go_after_a_week" {
  command = plan

  assert {
    condition = alltrue([for key in keys(aws_s3_bucket.this) :
      one([for rule in aws_s3_bucket_lifecycle_configuration.this[key].rule : rule.abort_incomplete_multipart_upload[0].days_after_initiation if rule.id == "abort-unfinished-uploads"]) == 7
    ])
    error_message = "every bucket must drop the parts of uploads that never finished"
  }
}

run "job_logs_expire_and_scripts_do_not" {
  command = plan

  variables {
    log_retention_days = 14
  }

  assert {
    condition     = [for rule in aws_s3_bucket_lifecycle_configuration.this["scripts"].rule : "${rule.filter[0].prefix}:${rule.expiration[0].days}" if length(rule.expiration) > 0] == ["logs/:14"]
    error_message = "in the scripts bucket only logs/ may expire, after the days asked for"
  }
}

run "recommendations_are_kept_for_good_by_default" {
  command = plan

  assert {
    condition     = [for rule in aws_s3_bucket_lifecycle_configuration.this["recommendations"].rule : "${rule.filter[0].prefix}:${rule.expiration[0].days}" if length(rule.expiration) > 0] == ["athena-results/:7"]
    error_message = "nothing delivered may expire unless asked, only results of queries after a week"
  }

  assert {
    condition     = output.query_results_prefix == "athena-results/"
    error_message = "queries must be told to put their results where they expire"
  }
}

run "recommendations_expire_when_asked" {
  command = plan

  variables {
    recommendations_retention_days = 30
  }

  assert {
    condition     = one([for rule in aws_s3_bucket_lifecycle_configuration.this["recommendations"].rule : rule.expiration[0].days if rule.id == "expire-objects"]) == 30
    error_message = "recommendations must expire after the days asked for"
  }
}

run "a_bucket_with_objects_stops_a_destroy_by_default" {
  command = plan

  assert {
    condition     = alltrue([for bucket in aws_s3_bucket.this : !bucket.force_destroy])
    error_message = "buckets may only be emptied by a destroy when asked"
  }
}

run "rejects_what_s3_would_refuse" {
  command = plan

  variables {
    noncurrent_version_days        = 0
    recommendations_retention_days = 0.5
    log_retention_days             = 0
    name_prefix                    = "a-prefix-that-is-longer-than-33-characters"
  }

  expect_failures = [
    var.noncurrent_version_days,
    var.recommendations_retention_days,
    var.log_retention_days,
    var.name_prefix,
  ]
}
