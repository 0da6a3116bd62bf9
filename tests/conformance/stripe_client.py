"""A second opinion on Stripe: Stripe's own client makes calls and says what it reads.

    stripe_client.py INPUT ORIGIN KEY

INPUT is a file with a JSON array of calls, `{"service": "customers", "method": "retrieve", "args": ["cus_1"], "params":
{..}}`, made in their order. The answer is a JSON array of `{"ok": ..}` with what was read, or `{"error": {..}}`.
"""

import json
import sys

import stripe

NO_RETRIES = 0


def main() -> None:
    calls = json.load(open(sys.argv[1]))
    base = {"api": sys.argv[2]}
    client = stripe.StripeClient(sys.argv[3], base_addresses=base, max_network_retries=NO_RETRIES)
    json.dump([make(client, call) for call in calls], sys.stdout)


def make(client: stripe.StripeClient, call: dict) -> dict:
    # Newer clients have the services of the first API below `v1`.
    service = getattr(client, "v1", client)
    for name in call["service"].split("."):
        service = getattr(service, name)
    arguments = list(call.get("args", []))
    try:
        made = getattr(service, call["method"])(*arguments, params=call.get("params", {}))
    except stripe.StripeError as error:
        return {"error": {"kind": type(error).__name__, "status": error.http_status, "code": error.code, "message": str(error)}}
    return {"ok": json.loads(str(made))}


main()
