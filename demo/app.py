import streamlit as st

st.title('MNIST in four steps')
