"Draw a digit and watch five models read it. Run it with `mnist-steps demo`."
from pathlib import Path

import streamlit as st

from visitors import arrive

st.set_page_config(page_title='mnist-steps', page_icon='✏️', layout='wide')
pages = [
    st.Page('draw.py', title='Draw', default=True),
    st.Page('workshop.py', title='Train it yourself'),
    st.Page('quiz.py', title='Test yourself')]
arrive()
page = st.navigation(pages, position='hidden') # Streamlit's own tabs hide behind a symbol on a phone
st.html(Path(__file__).with_name('app.css'))
with st.container(key='masthead', horizontal=True, vertical_alignment='center'):
    st.html('<h1>mnist-steps</h1>', width='content')
    for link in pages: st.page_link(link, width='content')
page.run()
