# Stands for the built job script.
