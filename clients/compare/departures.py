"""Where Milena answers otherwise than Kafka, and means to."""

from wire import CLOSED

DEPARTURES = {
    # A request that does not decode to its last byte is refused, whichever way it is wrong.
    ("frames", "a body with bytes behind it"): CLOSED,
    ("bodies", "a count of minus two"): CLOSED,
    ("bodies", "a string that is not text"): CLOSED,
    # Durable by default.
    ("describe_configs", "flush.messages is"): "1",
}
