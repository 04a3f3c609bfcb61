name_prefix                 = "vectorops-test"
vpc_id                      = "vpc-1"
subnets                     = [{ id = "subnet-1", availability_zone = "eu-central-1a" }, { id = "subnet-2", availability_zone = "eu-central-1b" }]
s3_prefix_list_id           = "pl-1"
endpoints_security_group_id = "sg-endpoints"
data_lake_bucket            = { name = "lake", arn = "arn:aws:s3:::lake" }
scripts_bucket              = { name = "scripts", arn = "arn:aws:s3:::scripts" }
script_path                 = "tests/script.py"
loader = {
  script_path    = "tests/script.py"
  package_path   = "tests/package.zip"
  results_bucket = { name = "artifacts", arn = "arn:aws:s3:::artifacts" }
  sources        = ["lake/", "given/embeddings/"]
  database = {
    host                     = "database.example.internal"
    port                     = 5432
    name                     = "vectors"
    secret_arn               = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:rds!db-2"
    client_security_group_id = "sg-client"
  }
}
source_database = {
  host              = "mysql.example.internal"
  name              = "classicmodels"
  secret_arn        = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:reader"
  security_group_id = "sg-source"
}
