#!/usr/bin/env perl
# Prints core/outbound/adapt/grapheme_table.h: the classes of UAX #29's extended grapheme clusters, as this perl's Unicode has them.
# With --cases: texts of code points from all classes, cut by perl's own \X, for the unit test.
# usage: tools/graphemes.pl >core/outbound/adapt/grapheme_table.h
#        tools/graphemes.pl --cases >tests/unit/outbound/grapheme_cases.h
use strict;
use warnings;
no warnings 'utf8';
use Unicode::UCD;

# The syllables LV and LVT are told apart by arithmetic.
my @classes = (
    [ CONTROL  => qr/[\p{GCB=Control}\p{GCB=CR}\p{GCB=LF}]/ ], [ EXTEND  => qr/\p{GCB=Extend}/ ],
    [ JOINER   => qr/\p{GCB=ZWJ}/ ],                           [ REGION  => qr/\p{GCB=Regional_Indicator}/ ],
    [ PREPEND  => qr/\p{GCB=Prepend}/ ],                       [ SPACING => qr/\p{GCB=SpacingMark}/ ],
    [ HANGUL_L => qr/\p{GCB=L}/ ],                             [ HANGUL_V => qr/\p{GCB=V}/ ],
    [ HANGUL_T => qr/\p{GCB=T}/ ],                             [ SYLLABLE => qr/[\p{GCB=LV}\p{GCB=LVT}]/ ],
    [ PICTURE  => qr/\p{Extended_Pictographic}/ ],
);

sub class_of {
    my ($code) = @_;
    return 'CONTROL' if $code >= 0xD800 && $code <= 0xDFFF;
    for my $class (@classes) {
        return $class->[0] if chr($code) =~ $class->[1];
    }
    return '';
}

sub print_cases {
    my @points = ( 0x61, 0x20, 0x0D, 0x0A, 0x301, 0x200D, 0x1F1E6, 0x1F1FA, 0x600, 0x903, 0x1100, 0x1161, 0x11A8, 0xAC00, 0xAC01,
        0x1F468, 0x1F3FD, 0x2764, 0xFE0F, 0xA9, 0x430, 0x4E2D, 0x200B, 0xE0067, 0x1F3F4 );
    my $seed = 1;
    printf "/* Made by tools/graphemes.pl --cases with Unicode %s; not edited by hand. */\n/* clang-format off */\n",
      Unicode::UCD::UnicodeVersion();
    for ( 1 .. 400 ) {
        my $text = '';
        for ( 1 .. 8 ) {
            $seed = ( $seed * 1103515245 + 12345 ) % 2147483648;
            $text .= chr $points[ ( $seed >> 8 ) % @points ];
        }
        my @lengths = map { my $cluster = $_; utf8::encode($cluster); length $cluster } $text =~ /(\X)/g;
        utf8::encode($text);
        printf "{ \"%s\", { %s } },\n", join( '', map { sprintf '\\%03o', ord } split //, $text ), join ', ', @lengths;
    }
    print "/* clang-format on */\n";
}

if ( @ARGV && $ARGV[0] eq '--cases' ) {
    print_cases();
    exit;
}

my ( @ranges, $first );
my $last = '';
for my $code ( 0 .. 0x110000 ) {
    my $class = $code > 0x10FFFF ? '' : class_of($code);
    next if $class eq $last;
    push @ranges, sprintf '{ 0x%X, 0x%X, %s }', $first, $code - 1, $last if $last ne '';
    ( $first, $last ) = ( $code, $class );
}
my $version = Unicode::UCD::UnicodeVersion();
print "/* Made by tools/graphemes.pl from Unicode $version; not edited by hand. */\n";
print "/* clang-format off */\n";
while ( my @three = splice @ranges, 0, 3 ) {
    print '    ', join( ', ', @three ), ",\n";
}
print "/* clang-format on */\n";
