"Draw a digit and watch five models read it. Run it with `mnist-steps demo`."
import streamlit as st

st.set_page_config(page_title='mnist-steps', page_icon='✏️', layout='wide')
st.navigation([
    st.Page('draw.py', title='Draw', icon=':material/draw:', default=True),
    st.Page('workshop.py', title='Train it yourself', icon=':material/model_training:'),
    st.Page('quiz.py', title='Test yourself', icon=':material/quiz:'),
], position='top').run()
