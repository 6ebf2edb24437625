"""Which notice, consent and purposes apply to a call, and why."""
