"Twenty visitors draw at the same time; each must get an answer to the own drawing."
import asyncio
import base64
import io
import json
import statistics
import time

import numpy as np
import pytest
from PIL import Image

from mnist_steps.canvas import STROKES, draw, to_mnist
from mnist_steps.rungs import PRETRAINED, load_pretrained

websockets = pytest.importorskip('websockets')
BackMsg = pytest.importorskip('streamlit.proto.BackMsg_pb2').BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg  # noqa: E402

VISITORS, DRAWINGS = 20, 5
BETWEEN_STROKES = 1 # s: the load is that of people, who need a moment for the next stroke; nothing is waited for


def drawn(image):
    "What the canvas in the browser sends at the end of a stroke"
    file = io.BytesIO()
    Image.fromarray(image).save(file, 'png')
    data = 'data:image/png;base64,' + base64.b64encode(file.getvalue()).decode()
    return json.dumps({'drawing': {'raw': {'objects': [{}]}, 'data': data}, 'backgroundFit': None})


async def answer(socket, widget=None, value=None):
    "Send a drawing, or nothing, to the page; the elements of its answer"
    message = BackMsg()
    message.rerun_script.query_string = ''
    if widget: message.rerun_script.widget_states.widgets.add(id=widget, json_value=value)
    await socket.send(message.SerializeToString())
    elements = []
    while True:
        reply = ForwardMsg()
        reply.ParseFromString(await asyncio.wait_for(socket.recv(), 120))
        kind = reply.WhichOneof('type')
        if kind == 'script_finished': return elements
        if kind == 'delta' and reply.delta.WhichOneof('type') == 'new_element': elements.append(reply.delta.new_element)


async def visit(url, digits, images):
    "Draw one image after the other; the headlines and the seconds that each took"
    address = url.replace('http', 'ws') + '/_stcore/stream'
    async with websockets.connect(address, subprotocols=['streamlit'], origin=url, max_size=None) as socket:
        canvas = next(e.bidi_component.id for e in await answer(socket) if e.HasField('bidi_component'))
        headlines, seconds = [], []
        for digit in digits:
            start = time.perf_counter()
            elements = await answer(socket, canvas, drawn(images[digit]))
            seconds.append(time.perf_counter() - start)
            assert not [e.exception.message for e in elements if e.HasField('exception')]
            texts = [e.markdown.body for e in elements]
            headlines.append(next(text for text in texts if 'All five' in text or 'disagree' in text))
            await asyncio.sleep(BETWEEN_STROKES)
        return headlines, seconds


def test_twenty_visitors(url):
    images = [draw(STROKES[digit]) for digit in range(10)]
    pictures = np.stack([to_mnist(image) for image in images])
    read = {name: load_pretrained(name).predict(pictures) for name in PRETRAINED}
    plans = [[(visitor + step) % 10 for step in range(DRAWINGS)] for visitor in range(VISITORS)]
    async def everybody(): return await asyncio.gather(*(visit(url, plan, images) for plan in plans))
    visits = asyncio.run(everybody())
    for plan, (headlines, _) in zip(plans, visits):
        for digit, headline in zip(plan, headlines):
            named = {int(d) for d in headline.split('**')[1::2]}
            assert named == {int(read[name][digit]) for name in PRETRAINED}, f'{digit} was drawn: {headline}'
    seconds = sorted(s for _, times in visits for s in times)
    print(f'\n{VISITORS} visitors: {statistics.median(seconds):.2f} s from stroke end to answer (median), '
          f'{seconds[int(.95 * len(seconds))]:.2f} s (95th percentile)')
