"""A replay in a process of its own, which a test can kill: arguments are the two URLs, bucket and stream."""

import sys
from datetime import UTC, datetime, timedelta

from vectorops.aws import Aws, Credentials
from vectorops.streaming.replay import Replay, Selection


def main() -> None:
    s3_url, kinesis_url, bucket, stream = sys.argv[1:]
    s3, kinesis = (
        Aws("us-east-1", endpoint_url=url, credentials=Credentials("k", "s")) for url in (s3_url, kinesis_url)
    )
    replay = Replay(
        s3.client("s3"), kinesis.client("kinesis"), bucket=bucket, errors_prefix="errors/", stream_name=stream
    )
    replay.run(Selection(datetime.now(UTC) - timedelta(hours=1)))


if __name__ == "__main__":
    main()
