"""What keeps stores sound: verification and repair, re-runs of trials, merges."""
