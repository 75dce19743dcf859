"""The sensors: they ask `pending_work` what is missing and turn it into run requests, and decide nothing."""
