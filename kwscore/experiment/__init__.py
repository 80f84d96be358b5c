"""Scripted noise experiments: clips x noises x SNRs x networks x engines, by themselves, with and without a window."""
