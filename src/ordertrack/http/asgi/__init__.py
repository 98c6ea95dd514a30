"""The application for any ASGI server; our own is uvicorn with h11, where the gate cannot run or is off."""
