# SPDX-License-Identifier: Apache-2.0
import calendar
import time
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo, available_timezones

t = datetime(2024, 3, 31, 1, 30, tzinfo=ZoneInfo("Europe/Berlin"))
for name in ("UTC", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia"):
    print(name, t.astimezone(ZoneInfo(name)).isoformat())
print((t + timedelta(hours=1)).utcoffset(), t.dst(), ZoneInfo("Europe/Berlin") is ZoneInfo("Europe/Berlin"))
print("Europe/Rome" in available_timezones())
print(date(2024, 2, 29).isocalendar(), date.fromisoformat("2023-12-31").strftime("%A %j %U"))
print(datetime.strptime("2001-09-09 01:46:40 +0000", "%Y-%m-%d %H:%M:%S %z").timestamp())
print(calendar.month(2024, 2))
print(datetime.fromtimestamp(1e9, timezone.utc), time.strftime("%Y-%m-%d", time.gmtime(0)), time.localtime(0).tm_isdst)
before = time.monotonic()
time.sleep(0.01)
print(time.monotonic() - before >= 0.01, time.perf_counter_ns() > 0, time.process_time() >= 0, time.thread_time() >= 0)
