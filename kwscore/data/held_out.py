"""Words that training never hears, so that validation can ask about words that are truly unknown."""

# fmt: off
UNHEARD_WORDS = frozenset((
    "backward", "bird", "dog", "eight", "five", "follow", "forward", "four", "house", "learn", "marvin", "nine",
    "seven", "sheila", "six", "three", "tree", "two", "visual", "wow",
))
# fmt: on
UNHEARD_WAKE_WORDS = frozenset(("alexa", "jarvis"))
