mock_provider "aws" {
  source = "./tests/mocks"

  mock_resource "aws_db_instance" {
    defaults = {
      address            = "database.example.internal"
      port               = 5432
      master_user_secret = [{ secret_arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:rds!db-1", secret_status = "active", kms_key_id = "k" }]
    }
  }
}

# Buckets that can be told apart, which mocked ones cannot.
override_module {
  target = module.storage
  outputs = {
    bucket_names         = { for purpose in ["data_lake", "ml_artifacts", "scripts", "recommendations"] : purpose => "bucket-of-${purpose}" }
    bucket_arns          = { for purpose in ["data_lake", "ml_artifacts", "scripts", "recommendations"] : purpose => "arn:aws:s3:::bucket-of-${purpose}" }
    query_results_prefix = "athena-results/"
  }
}

run "the_functions_are_told_where_everything_is" {
  command = apply

  assert {
    condition = local.recommender_function.environment == {
      DATABASE_HOST       = output.database_host
      DATABASE_PORT       = tostring(output.database_port)
      DATABASE_NAME       = output.database_name
      DATABASE_SECRET_ARN = output.database_secret_arn
      ML_ARTIFACTS_BUCKET = "bucket-of-ml_artifacts"
    }
    error_message = "the functions must be told the deployed resources, and nothing they have a default for"
  }

  assert {
    condition     = local.recommender_function.client_security_group_ids == [output.database_client_security_group_id] && local.recommender_function.readable_secrets[0].arn == output.database_secret_arn
    error_message = "the functions must be admitted to the database, and may read its login"
  }

  assert {
    condition     = local.recommender_function.readable_objects == { models = { bucket_arn = "arn:aws:s3:::bucket-of-ml_artifacts", prefix = "model/" } }
    error_message = "the functions may read models, and nothing else of the artefacts"
  }
}

run "what_an_environment_chooses_reaches_the_functions" {
  command = apply

  variables {
    database = { kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/own" }
    functions = {
      item_table                = "shop.items"
      item_limit                = 10
      exclude_cart_items        = false
      catalogue_budget_mib      = 0
      catalogue_max_age_seconds = 60
      enforce_database_tls      = false
    }
  }

  assert {
    condition = {
      for name, value in local.recommender_function.environment : name => value
      if !contains(["DATABASE_HOST", "DATABASE_PORT", "DATABASE_NAME", "DATABASE_SECRET_ARN", "ML_ARTIFACTS_BUCKET"], name)
      } == {
      DATABASE_SSLMODE    = "disable"
      ITEM_TABLE          = "shop.items"
      ITEM_LIMIT          = "10"
      EXCLUDE_CART_ITEMS  = "false"
      CATALOGUE_BUDGET_MB = "0"
      CATALOGUE_MAX_AGE_S = "60"
    }
    error_message = "each choice must reach the functions under their name for it"
  }

  assert {
    condition     = local.recommender_function.readable_secrets[0].kms_key_arn == "arn:aws:kms:eu-central-1:123456789012:key/own"
    error_message = "the key of the login must reach the functions"
  }
}

run "tls_to_the_database_is_enforced_unless_it_is_switched_off" {
  command = plan

  variables {
    functions = { enforce_database_tls = true }
  }

  assert {
    condition     = local.recommender_choices.DATABASE_SSLMODE == null
    error_message = "the functions verify the database's certificate unless told otherwise"
  }
}

run "rejects_choices_the_functions_would_refuse" {
  command = plan

  variables {
    functions = { item_limit = 101 }
  }

  expect_failures = [var.functions]
}

run "rejects_a_table_that_is_no_name" {
  command = plan

  variables {
    functions = { item_table = "item_emb; DROP TABLE item_emb" }
  }

  expect_failures = [var.functions]
}
