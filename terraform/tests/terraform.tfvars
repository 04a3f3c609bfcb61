environment            = "test"
region                 = "eu-central-1"
build_dir              = "tests/build"
create_source_database = true
network                = { interface_endpoints = ["secretsmanager"] }
