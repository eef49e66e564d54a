window.raceline = window.raceline || function () { (raceline.q = raceline.q || []).push(arguments); };
