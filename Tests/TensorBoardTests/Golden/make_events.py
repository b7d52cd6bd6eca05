#!/usr/bin/env python3
"""Makes GoldenEvents.swift: a small event file by TensorBoard's own protocol buffers and record writer.

Made with tensorboard 2.21.0, protobuf as installed with it, Python 3.11.
"""
import base64, io, os
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary
from tensorboard.summary.writer.record_writer import RecordWriter

png = bytes.fromhex("89504e470d0a1a0a")
events = [
    Event(wall_time=1234.5, file_version="brain.Event:2"),
    Event(wall_time=1234.5, step=41, session_log=SessionLog(status=SessionLog.START)),
    Event(wall_time=1234.5, step=300, summary=Summary(value=[
        Summary.Value(tag="train/loss", simple_value=0.1),
        Summary.Value(tag="häuser/größe", simple_value=-1e-20),
        Summary.Value(tag="query/spectrum", histo=HistogramProto(
            min=2.0, max=2.0, num=3.0, sum=6.0, sum_squares=12.0, bucket_limit=[2.0], bucket=[3.0])),
        Summary.Value(tag="unseen/found", image=Summary.Image(height=2, width=300, colorspace=3, encoded_image_string=png)),
    ])),
]
class Sink(io.BytesIO):
    pass
sink = Sink()
writer = RecordWriter(sink)
for event in events:
    writer.write(event.SerializeToString())
text = base64.b64encode(sink.getvalue()).decode()
lines = ["// Made by Golden/make_events.py with TensorBoard's own writer. Not here: what is expected of it (EventTests.swift).", "",
         "enum GoldenEvents {", '    static let file = """']
lines += ["        " + text[i:i + 100] for i in range(0, len(text), 100)]
lines += ['        """', "}", ""]
open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "GoldenEvents.swift"), "w").write("\n".join(lines))
