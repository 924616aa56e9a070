"""botocore over TLS, with a server that knows a little of S3."""

from __future__ import annotations

from typing import Any

import botocore.config
import botocore.exceptions
import botocore.session

from tests.libraries.crew import Failure, together


def prepare(site: Any) -> Any:
    """Make the client: it reads a megabyte of JSON, which is work and no wait."""
    config = botocore.config.Config(
        s3={"addressing_style": "path"},
        max_pool_connections=20,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        retries={"max_attempts": 0},
    )
    return botocore.session.get_session().create_client(
        "s3",
        endpoint_url=f"https://localhost:{site['https']['port']}",
        verify=site["https"]["ca"],
        region_name="eu-central-1",
        aws_access_key_id="nobody",
        aws_secret_access_key="nothing",
        config=config,
    )


def work(site: Any, client: Any) -> str:
    def put(number: int) -> str:
        body = b"%d" % number * 1000
        answer = client.put_object(Bucket="things", Key=f"key-{number}", Body=body)
        return str(answer["ETag"])

    def get(number: int) -> bool:
        answer = client.get_object(Bucket="things", Key=f"key-{number}")
        return bool(answer["Body"].read() == b"%d" % number * 1000)

    assert len(set(together(20, put))) == 20
    assert all(together(20, get))
    listed = client.list_objects_v2(Bucket="things")
    assert {each["Key"] for each in listed["Contents"]} >= {f"key-{n}" for n in range(20)}
    with Failure(botocore.exceptions.ClientError) as failure:
        client.get_object(Bucket="things", Key="missing")
    assert failure.error.response["Error"]["Code"] == "NoSuchKey"
    client.close()
    return "20 objects stored and read in parallel, a listing, an error"
