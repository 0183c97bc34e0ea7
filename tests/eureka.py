"""A real Eureka client against a host: registers, renews, finds itself, leaves.

    eureka.py URL-WITH-CREDENTIALS
"""

import asyncio
import sys

from py_eureka_client import eureka_basic, eureka_client


async def register(server: str) -> None:
    """Registers an application as a program that uses the client does."""
    client = eureka_client.EurekaClient(
        eureka_server=server,
        app_name="Invoices",
        instance_id="invoices-1",
        instance_host="invoices.example",
        instance_ip="127.0.0.1",
        instance_port=9123,
        renewal_interval_in_secs=1,
        duration_in_secs=3,
        metadata={"zone": "a"},
    )
    await client.start()
    try:
        apps = await eureka_basic.get_applications(server)
        instance = apps.get_application("INVOICES").get_instance("invoices-1")
        assert instance.status == "UP", instance.status
        assert instance.port.port == 9123 and instance.port.enabled
        assert instance.metadata["zone"] == "a", instance.metadata
        assert apps.appsHashcode == "UP_1_", apps.appsHashcode

        await eureka_basic.status_update(
            server, "INVOICES", "invoices-1", "1", "OUT_OF_SERVICE"
        )
        app = await eureka_basic.get_application(server, "INVOICES")
        assert app.get_instance("invoices-1").status == "OUT_OF_SERVICE"
        await eureka_basic.delete_status_override(server, "INVOICES", "invoices-1", "1")
        one = await eureka_basic.get_app_instance(server, "INVOICES", "invoices-1")
        assert one.status == "UP", one.status
        delta = await eureka_basic.get_delta(server)
        assert delta.get_application("INVOICES").get_instance("invoices-1")
        # Longer than the lease: the client's heartbeats keep it.
        await asyncio.sleep(9)
        one = await eureka_basic.get_app_instance(server, "INVOICES", "invoices-1")
        assert one.status == "UP", one.status
    finally:
        await client.stop()
    apps = await eureka_basic.get_applications(server)
    assert not apps.get_application("INVOICES").get_instance("invoices-1")


asyncio.run(register(sys.argv[1]))
print("a real Eureka client registers, stays, is found and leaves")
