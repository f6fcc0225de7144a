"""The electronics around a simulated network: converters, holds, comparators, supply, settling."""
