//! Quote optimisers: Avellaneda-Stoikov, Gueant-Lehalle-Fernandez-Tapia.
