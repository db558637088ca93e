"""Who joins whom by which mechanism, held against what every source requires, and what it will take."""
