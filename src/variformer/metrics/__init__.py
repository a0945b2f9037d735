"""How is a trained model scored? Metrics as functions of numbers that each sample gives.

A sample's numbers are a row. A metric is computed from the rows of a whole split, so that it has the same bits for any
batches and devices, and so that intervals and comparisons need no second implementation.

classification  labels and guesses: accuracy, F1, Matthews, calibration (scikit-learn)
regression      correlations and the mean absolute error (scipy)
entities        spans in tagged words: precision, recall and F1, equal to seqeval's
squad           answers to questions: exact match and F1 by the official rules, and the threshold for no answer
text            written texts: BLEU, chrF, TER (sacrebleu), ROUGE (rouge-score), exact match, token error rate
intervals       bootstrap intervals, and whether two models differ
"""
