"""What README's performance table is made from: ``make bench``."""
