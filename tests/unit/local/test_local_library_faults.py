"""What is wrong in the emulator library as it is installed. A test that fails here means: delete our mend."""

import json
import sys
import time
from typing import Any

import pytest

pytest.importorskip("ministack", reason="the local target is not installed: make setup")

from ministack.core import iam_actions, iam_evaluator, lambda_runtime
from ministack.core.iam_evaluator import EvalContext
from ministack.services import athena, cloudwatch, ec2, firehose, glue, kinesis, lambda_svc, rds, s3

SHARD = "shardId-000000000000"
RDS_TRUST = {
    "Effect": "Allow",
    "Principal": {"Service": "rds.amazonaws.com"},
    "Action": "sts:AssumeRole",
    "Condition": {"StringEquals": {"aws:SourceAccount": "000000000000"}},
}


@pytest.fixture
def instance_xml() -> Any:
    parameters = {
        "DBInstanceIdentifier": "faulty",
        "ManageMasterUserPassword": "true",
        "PreferredBackupWindow": "02:00-02:30",
        "EnableCloudwatchLogsExports.member.1": "postgresql",
        "SkipFinalSnapshot": "true",
    }
    query = {name: [value] for name, value in parameters.items()}
    status, _, body = rds._ACTION_MAP["CreateDBInstance"](query)
    assert status == 200
    yield body.decode()
    rds._ACTION_MAP["DeleteDBInstance"](query)


def test_rds_makes_no_managed_secret(instance_xml: str) -> None:
    assert "MasterUserSecret" not in instance_xml


def test_rds_reports_an_instance_available_with_nothing_behind_it(instance_xml: str) -> None:
    assert "<DBInstanceStatus>available</DBInstanceStatus>" in instance_xml


def test_rds_forgets_the_backup_window_and_the_log_exports(instance_xml: str) -> None:
    assert "02:00-02:30" not in instance_xml
    assert "<EnabledCloudwatchLogsExports/>" in instance_xml


def test_rds_has_no_roles_of_instances() -> None:
    assert "AddRoleToDBInstance" not in rds._ACTION_MAP


def test_ec2_drops_the_prefix_lists_of_a_rule() -> None:
    query = {"P.1.IpProtocol": ["tcp"], "P.1.PrefixListIds.1.PrefixListId": ["pl-1"]}
    assert ec2._parse_ip_permissions(query, "P")[0]["PrefixListIds"] == []


def test_ec2_does_not_name_the_prefix_list_of_a_rule() -> None:
    rule = {"IpProtocol": "tcp", "PrefixListIds": [{"PrefixListId": "pl-1"}]}
    assert "pl-1" not in ec2._sg_rule_xml("sg-1", rule)


def test_ec2_keeps_meaningless_ports_of_a_rule_for_every_protocol() -> None:
    query = {"P.1.IpProtocol": ["-1"], "P.1.FromPort": ["0"], "P.1.ToPort": ["0"]}
    assert ec2._parse_ip_permissions(query, "P")[0]["FromPort"] == 0


def test_iam_takes_loopback_for_insecure_transport() -> None:
    assert iam_evaluator._resolve_condition_key("aws:SecureTransport", root_context()) == "false"


def test_sts_cannot_assume_a_role_with_a_condition_on_the_source() -> None:
    document = json.dumps({"Statement": [RDS_TRUST]})
    context = root_context()
    assert not iam_evaluator.evaluate_trust_policy(document, context.principal_arn, context)


def root_context() -> EvalContext:
    return EvalContext(
        principal_arn="arn:aws:iam::000000000000:root",
        principal_type="Root",
        principal_account="000000000000",
        action="sts:AssumeRole",
        resource_arn="*",
        region="us-east-1",
    )


def test_glue_forgets_the_tags_of_a_new_job_and_how_many_runs_it_may_have() -> None:
    request = {"Name": "faulty", "Tags": {"a": "b"}, "ExecutionProperty": {"MaxConcurrentRuns": 3}}
    glue._create_job(request)
    assert glue._tags.get(glue._arn("job", "faulty")) is None
    assert "ExecutionProperty" not in glue._jobs["faulty"]


def test_glue_forgets_the_tags_of_a_new_connection_and_crawler() -> None:
    glue._create_connection({"ConnectionInput": {"Name": "faulty"}, "Tags": {"a": "b"}})
    glue._create_crawler({"Name": "faulty", "Tags": {"a": "b"}})
    for kind in ("connection", "crawler"):
        assert glue._tags.get(glue._arn(kind, "faulty")) is None
    assert glue._crawlers["faulty"]["RecrawlPolicy"] == {}


def test_glue_starts_a_crawl_that_finds_nothing() -> None:
    glue._create_crawler({"Name": "idle"})
    assert glue._start_crawler({"Name": "idle"})[0] == 200


def test_glue_reports_a_run_as_succeeded_that_nobody_has_run_and_allows_any_number() -> None:
    glue._create_job({"Name": "idle", "Command": {"Name": "glueetl", "ScriptLocation": "s3://none/none.py"}})
    first, second = (json.loads(glue._start_job_run({"JobName": "idle"})[2])["JobRunId"] for _ in range(2))
    while any(run["JobRunState"] in ("STARTING", "RUNNING") for run in glue._job_runs["idle"]):
        time.sleep(0.01)
    runs = json.loads(glue._get_job_runs({"JobName": "idle", "MaxResults": 1})[2])["JobRuns"]
    assert [(run["Id"], run["JobRunState"]) for run in runs] == [(first, "SUCCEEDED"), (second, "SUCCEEDED")]


def test_glue_knows_no_list_of_jobs_and_no_runs_of_a_job_that_is_not_there() -> None:
    headers = {"x-amz-target": "AWSGlue.ListJobs"}
    assert glue._handle_request_sync("POST", "/", headers, b"{}", {})[0] == 400
    assert glue._get_job_runs({"JobName": "nobody"})[0] == 200


def test_iam_takes_a_glue_connection_for_a_table() -> None:
    headers = {"x-amz-target": "AWSGlue.GetConnection"}
    body = b'{"Name": "source"}'
    arn = iam_actions.extract_resource_arn("glue", "POST", "/", headers, body, {}, "us-east-1", "0")
    assert arn == "arn:aws:glue:us-east-1:0:table/source"


def test_iam_takes_the_log_group_for_the_log_stream() -> None:
    headers = {"x-amz-target": "Logs_20140328.PutLogEvents"}
    body = b'{"logGroupName": "g", "logStreamName": "s"}'
    arn = iam_actions.extract_resource_arn("logs", "POST", "/", headers, body, {}, "us-east-1", "0")
    assert arn == "arn:aws:logs:us-east-1:0:log-group:g"


def test_cloudwatch_shows_alarms_without_most_of_their_fields_and_forgets_who_is_told_of_missing_data() -> (
    None
):
    alarm = {
        "AlarmName": "faulty",
        "AlarmDescription": "a description",
        "MetricName": "m",
        "Namespace": "n",
        "Period": "300",
        "EvaluationPeriods": "1",
        "Threshold": "1",
        "ComparisonOperator": "GreaterThanThreshold",
        "InsufficientDataActions.member.1": "arn:aws:sns:us-east-1:000000000000:alerts",
    }
    cloudwatch._put_metric_alarm({name: [value] for name, value in alarm.items()}, None, False)
    _, _, answer = cloudwatch._describe_alarms({"AlarmNames.member.1": ["faulty"]}, None, False)
    assert b"a description" not in answer
    assert cloudwatch._alarms["faulty"]["InsufficientDataActions"] == []


def test_kinesis_forgets_the_tags_of_a_new_stream() -> None:
    kinesis._create_stream({"StreamName": "faulty", "Tags": {"a": "b"}})
    assert kinesis._streams["faulty"]["tags"] == {}


def test_kinesis_counts_nothing() -> None:
    kinesis._create_stream({"StreamName": "busy"})
    kinesis._put_record({"StreamName": "busy", "PartitionKey": "1", "Data": "e30="})
    metrics = cloudwatch._list_metrics({"Namespace": ["AWS/Kinesis"]}, {}, False)[2]
    assert b"IncomingRecords" not in metrics


def test_kinesis_passes_over_records_when_older_ones_expire() -> None:
    kinesis._create_stream({"StreamName": "aged"})
    record = {"StreamName": "aged", "PartitionKey": "1", "Data": "e30="}
    start = {"StreamName": "aged", "ShardId": SHARD, "ShardIteratorType": "TRIM_HORIZON"}
    kinesis._put_record(record)
    iterator = json.loads(kinesis._get_shard_iterator(start)[2])
    first = json.loads(kinesis._get_records(iterator)[2])
    kinesis._streams["aged"]["shards"][SHARD]["records"][0]["ApproximateArrivalTimestamp"] = 0
    kinesis._put_record(record)
    second = json.loads(kinesis._get_records({"ShardIterator": first["NextShardIterator"]})[2])
    assert (len(first["Records"]), len(second["Records"])) == (1, 0)


def test_kinesis_forgets_the_records_of_a_stream_whose_shards_change() -> None:
    kinesis._create_stream({"StreamName": "split"})
    kinesis._put_record({"StreamName": "split", "PartitionKey": "1", "Data": "e30="})
    kinesis._update_shard_count({"StreamName": "split", "TargetShardCount": 2})
    assert not any(shard["records"] for shard in kinesis._streams["split"]["shards"].values())


def test_firehose_forgets_the_time_zone_and_delivers_each_record_at_once() -> None:
    destination = {"BucketARN": "arn:aws:s3:::nowhere", "CustomTimeZone": "UTC"}
    source = {"KinesisStreamARN": "arn:aws:kinesis:us-east-1:000000000000:stream/busy", "RoleARN": ""}
    firehose._create_delivery_stream(
        {
            "DeliveryStreamName": "faulty",
            "DeliveryStreamType": "KinesisStreamAsSource",
            "KinesisStreamSourceConfiguration": source,
            "ExtendedS3DestinationConfiguration": destination,
        }
    )
    stream = firehose._streams["faulty"]
    assert "CustomTimeZone" not in str(firehose._build_description(stream))
    firehose.ingest_from_kinesis_source(source["KinesisStreamARN"], [("1", b"{}")])
    assert len(stream["destinations"][0]["records"]) == 1


def test_firehose_takes_records_past_the_stream_it_reads() -> None:
    answer = firehose._put_record({"DeliveryStreamName": "faulty", "Record": {"Data": "e30="}})
    assert answer[0] == 200


def test_lambda_runs_functions_in_the_interpreter_of_the_server() -> None:
    assert lambda_runtime._detect_runtime_binary("python3.13")[0] == sys.executable


def test_lambda_names_urls_that_lead_to_aws() -> None:
    lambda_svc._functions["faulty"] = {"aliases": {}}
    made = json.loads(lambda_svc._create_function_url_config("faulty", {}, None)[2])
    assert made["FunctionUrl"].endswith(".on.aws/")


def test_athena_guesses_the_columns_of_a_json_table() -> None:
    table = {
        "StorageDescriptor": {"Columns": [{"Name": "a", "Type": "string"}]},
        "Parameters": {"classification": "json"},
    }
    assert "read_json_auto" in athena._table_relation(table, ["a.json"])


def test_lambda_takes_metrics_in_a_log_for_text() -> None:
    directive = {"Namespace": "shop", "Dimensions": [[]], "Metrics": [{"Name": "Sales", "Unit": "Count"}]}
    text = json.dumps({"_aws": {"Timestamp": 0, "CloudWatchMetrics": [directive]}, "Sales": 1})
    lambda_svc._emit_lambda_logs({"FunctionName": "shop"}, "1", text, False, 1)
    assert b"Sales" not in cloudwatch._list_metrics({"Namespace": ["shop"]}, {}, False)[2]


def test_s3_forgets_the_tags_of_an_upload_in_parts() -> None:
    s3._buckets["faulty"] = {"objects": {}}
    s3._create_multipart_upload("faulty", "large", {"x-amz-tagging": "a=b"})
    (upload,) = s3._multipart_uploads.values()
    assert "a=b" not in str(upload)
