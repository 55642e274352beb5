"""Language models behind the port `Llm`: who answers, what it costs, and what is remembered."""
